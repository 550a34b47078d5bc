import fc from 'fast-check'
import { test } from 'tap'
import type { ProviderEvent } from '../../lib/provider/provider.ts'
import { CommandOutput } from '../../providers/command/output.ts'

/** The events in pieces of output, with neighbouring deltas joined. */
function eventsIn (...pieces: string[]): ProviderEvent[] {
  const output = new CommandOutput()
  const events: ProviderEvent[] = []
  for (const event of [...pieces.flatMap((piece) => output.take(piece)), ...output.end()]) {
    const last = events.at(-1)
    if (event.kind === 'stream_delta' && last?.kind === 'stream_delta') last.content += event.content
    else events.push({ ...event })
  }
  return events
}

const delta = (content: string): ProviderEvent => ({ kind: 'stream_delta', content })

test('plain text goes out at once, without waiting for the end of its line', (t) => {
  const output = new CommandOutput()
  t.strictSame(output.take('Hel'), [delta('Hel')])
  t.strictSame(output.take('lo\nwor'), [delta('lo\n'), delta('wor')])
  t.strictSame(output.take('ld { not json'), [delta('ld { not json')])
  t.strictSame(output.take(''), [])
  t.strictSame(output.end(), [])
  t.end()
})

test('a line that is a JSON object with a kind is an event, wherever the output is cut', (t) => {
  const text = 'hi\n{"kind":"status","text":"a } b"}\n{"kind":"tool_use","toolId":"t","toolName":"ls","toolInput":{"x":["\\n"]}}\r\nbye'
  const expected = [
    delta('hi\n'), { kind: 'stream_end' }, { kind: 'status', text: 'a } b' },
    { kind: 'tool_use', toolId: 't', toolName: 'ls', toolInput: { x: ['\n'] } }, delta('bye')
  ]
  const wrong: number[] = []
  for (let cut = 0; cut <= text.length; cut++) {
    if (JSON.stringify(eventsIn(text.slice(0, cut), text.slice(cut))) !== JSON.stringify(expected)) wrong.push(cut)
  }
  t.strictSame(wrong, [])
  t.strictSame(eventsIn(...text), expected, 'character by character')
  t.end()
})

test('the last line needs no line break', (t) => {
  t.strictSame(eventsIn('{"kind":"status","text":"x"}'), [{ kind: 'status', text: 'x' }])
  t.strictSame(eventsIn('{"kind":"status"'), [delta('{"kind":"status"')], 'and is text if it is cut short')
  t.end()
})

test('lines that only look like events are text', (t) => {
  for (const line of ['{"type":"status"}', '{"kind":7}', '{kind:"status"}', '{', '{}', ' {"kind":"status"}', '[{"kind":"status"}]', '"kind"', '{"kind":"a"} {"kind":"b"}']) {
    t.strictSame(eventsIn(`${line}\nnext`), [delta(`${line}\nnext`)], line)
  }
  for (const pieces of [['see {"kind":"status","text":"x"}\n'], ['see ', '{"kind":"status","text":"x"}\n']]) {
    t.strictSame(eventsIn(...pieces), [delta('see {"kind":"status","text":"x"}\n')], 'an event begins its line')
  }
  t.end()
})

test('text that was streamed ends before an event, once, and text after it is a new message', (t) => {
  t.strictSame(eventsIn('a\n{"kind":"status","text":"1"}\n{"kind":"status","text":"2"}\nb\n{"kind":"status","text":"3"}\n').map(({ kind }) => kind),
    ['stream_delta', 'stream_end', 'status', 'status', 'stream_delta', 'stream_end', 'status'])
  t.end()
})

test('a complete of the command is kept for its end: the exit code is not known yet', (t) => {
  const output = new CommandOutput()
  t.equal(output.complete, null)
  t.strictSame(output.take('done\n{"kind":"complete","exitCode":0,"usage":{"inputTokens":3}}\n'), [delta('done\n'), { kind: 'stream_end' }])
  t.strictSame(output.complete, { kind: 'complete', exitCode: 0, usage: { inputTokens: 3 } })
  t.strictSame(output.take('{"kind":"complete","exitCode":4}\nps'), [delta('ps')])
  t.strictSame(output.complete, { kind: 'complete', exitCode: 4 }, 'the last one holds')
  t.end()
})

test('a line that is too long to be kept is text', (t) => {
  const output = new CommandOutput()
  const start = `{"kind":"custom","name":"${'x'.repeat(2 * 1024 * 1024)}`
  t.strictSame(output.take(start), [])
  const rest = 'y'.repeat(2 * 1024 * 1024)
  t.strictSame(output.take(rest), [delta(start + rest)], 'memory is bounded')
  t.strictSame(output.take('"}\n'), [delta('"}\n')])
  t.strictSame(output.take('{"kind":"status","text":"x"}\n'), [{ kind: 'stream_end' }, { kind: 'status', text: 'x' }])
  t.end()
})

test('no character of plain output is lost or reordered, however it is cut', (t) => {
  const piece = fc.string({ unit: fc.constantFrom('{', '}', '"', '\n', 'a', '\r', 'é', '😀'), maxLength: 6 })
  t.doesNotThrow(() => fc.assert(fc.property(fc.array(piece), (pieces) => {
    return JSON.stringify(eventsIn(...pieces)) === JSON.stringify(pieces.join('') === '' ? [] : [delta(pieces.join(''))])
  }), { numRuns: 1_000 }))
  t.end()
})
