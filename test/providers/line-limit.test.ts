import { test } from 'tap'
import { LineLimit, MAX_LINE_BYTES } from '../../providers/process/line-limit.ts'

test('lines of the longest length are taken, wherever they are cut', (t) => {
  const limit = new LineLimit()
  const bytes = (length: number, end = ''): Buffer => Buffer.from('x'.repeat(length) + end)
  limit.take(bytes(MAX_LINE_BYTES))
  limit.take(bytes(0, '\n'))
  limit.take(bytes(MAX_LINE_BYTES - 1))
  limit.take(bytes(1, '\nab\nc'))
  limit.take(bytes(MAX_LINE_BYTES - 1))
  t.throws(() => limit.take(bytes(1)), { code: 'AGENT_LINE_TOO_LONG' })
  t.throws(() => new LineLimit().take(bytes(MAX_LINE_BYTES + 1, '\n')), { code: 'AGENT_LINE_TOO_LONG' })
  t.end()
})
