import { test } from 'tap'
import { MAX_LINE_BYTES, ProtocolLines } from '../../providers/process/protocol-lines.ts'

test('lines of the longest length are taken, wherever they are cut', (t) => {
  const limit = new ProtocolLines(() => {})
  const bytes = (length: number, end = ''): Buffer => Buffer.from('x'.repeat(length) + end)
  limit.take(bytes(MAX_LINE_BYTES))
  limit.take(bytes(0, '\n'))
  limit.take(bytes(MAX_LINE_BYTES - 1))
  limit.take(bytes(1, '\nab\nc'))
  limit.take(bytes(MAX_LINE_BYTES - 1))
  t.throws(() => limit.take(bytes(1)), { code: 'AGENT_LINE_TOO_LONG' })
  t.throws(() => new ProtocolLines(() => {}).take(bytes(MAX_LINE_BYTES + 1, '\n')), { code: 'AGENT_LINE_TOO_LONG' })
  t.end()
})

test('lines of a protocol pass as they are, noise does not, wherever it is cut', (t) => {
  const noise: string[] = []
  const output = 'Hello!\n{"a":1}\n\u001b[1m{"b":2}\u001b[0m\r\n\n{ no JSON }\nx{"c":3}\n{"d":4}\n'
  for (let cut = 0; cut <= output.length; cut++) {
    const lines = new ProtocolLines((line) => noise.push(line))
    const passed = [output.slice(0, cut), output.slice(cut)].map((piece) => Buffer.from(lines.take(Buffer.from(piece))).toString()).join('')
    t.equal(passed, '{"a":1}\n{"b":2}\n{ no JSON }\n{"c":3}\n{"d":4}\n', `cut at ${cut}`)
  }
  t.strictSame([...new Set(noise)], ['Hello!'])
  const whole = Buffer.from('{"a":1}\n{"b":2}\n')
  t.equal(new ProtocolLines(() => {}).take(whole), whole, 'what is clean is not copied')
  t.end()
})

test('what stands behind an object in its line is left out', (t) => {
  const lines = new ProtocolLines(() => {})
  t.equal(Buffer.from(lines.take(Buffer.from('{"a":1}\u001b[0m\n{"b":2}\r\n{"c":3} done\n'))).toString(), '{"a":1}\n{"b":2}\r\n{"c":3}\n')
  t.end()
})
