import fc from 'fast-check'
import { test } from 'tap'
import { Scrubber } from '../../lib/runs/scrubber.ts'

const OURS = 'SESSION'
const NATIVE = 'native-12345'

/** What a client gets of a stream whose text comes in these pieces. */
function streamed (scrubber: Scrubber, pieces: string[], stream = 'm'): string {
  return pieces.map((piece) => scrubber.delta(stream, piece)).join('') + scrubber.flush(stream)
}

/** What is left of `text` where it ends in the start of an id: at most seven characters of that. */
function withoutTail (text: string, id: string): string {
  for (let length = Math.min(id.length - 1, text.length); length >= 8; length--) {
    if (text.endsWith(id.slice(0, length))) return text.slice(0, 7 - length)
  }
  return text
}

/** `text` cut into pieces of these lengths, the last one as long as it has to be. */
function cut (text: string, lengths: number[]): string[] {
  const pieces: string[] = []
  for (const length of lengths) {
    pieces.push(text.slice(0, length))
    text = text.slice(length)
  }
  return [...pieces, text]
}

/** Texts made of ids, their beginnings and their parts, so that near misses are the rule. */
function textAbout (ids: string[]): fc.Arbitrary<string> {
  const part = fc.tuple(fc.constantFrom(...ids), fc.nat(12), fc.nat(12)).map(([id, from, length]) => id.slice(from, from + length))
  const start = fc.tuple(fc.constantFrom(...ids), fc.nat(12)).map(([id, length]) => id.slice(0, length))
  return fc.array(fc.oneof(fc.constantFrom(...ids), start, part, fc.string({ maxLength: 3 })), { maxLength: 8 }).map((parts) => parts.join(''))
}

const lengths = fc.array(fc.nat(9), { maxLength: 30 })

test('wherever deltas are cut, what goes out joined is the joined text with the id replaced', (t) => {
  const id = fc.string({ unit: fc.constantFrom('a', 'b', '-'), minLength: 8, maxLength: 14 })
  const cases = id.chain((id) => fc.tuple(fc.constant(id), textAbout([id]), lengths))
  t.doesNotThrow(() => fc.assert(fc.property(cases, ([id, text, lengths]) => {
    // An end that overlaps a complete id is part of that.
    const rest = text.slice(text.lastIndexOf(id) === -1 ? 0 : text.length - text.split(id).at(-1)!.length)
    const expected = text.slice(0, text.length - rest.length).replaceAll(id, OURS) + withoutTail(rest, id)
    const scrubber = new Scrubber(OURS, [id])
    return streamed(scrubber, cut(text, lengths)) === expected && scrubber.message(text) === expected
  }), { numRuns: 3_000 }))
  t.end()
})

test('whatever ids there are, and however alike, no stream ever holds one', (t) => {
  const id = fc.string({ unit: fc.constantFrom('a', 'b', '/', '"', 'é'), minLength: 8, maxLength: 12 })
  const cases = fc.array(id, { minLength: 1, maxLength: 4 }).chain((ids) => {
    const forms = ids.flatMap((id) => [id, encodeURIComponent(id)])
    return fc.tuple(fc.constant(ids), fc.constant(forms), textAbout(forms), lengths)
  })
  t.doesNotThrow(() => fc.assert(fc.property(cases, ([ids, forms, text, lengths]) => {
    const scrubber = new Scrubber(OURS, ids)
    const out = streamed(scrubber, cut(text, lengths))
    const { json } = scrubber.fields({ data: [text, { [text]: 1 }] })
    const said = JSON.stringify(JSON.parse(json))
    return forms.every((form) => !out.includes(form) && !scrubber.text(text).includes(form) && !said.includes(JSON.stringify(form).slice(1, -1)))
  }), { numRuns: 3_000 }))
  t.end()
})

test('an id and its URL-encoded form are found across any two cuts', (t) => {
  const id = 'agent/42 é"x'
  const text = `<${id}> at ?s=${encodeURIComponent(id)}&agent%2F42`
  const wrong: string[][] = []
  for (let first = 0; first <= text.length; first++) {
    for (let second = 0; second <= text.length - first; second++) {
      const pieces = cut(text, [first, second])
      if (streamed(new Scrubber(OURS, [id]), pieces) !== `<${OURS}> at ?s=${OURS}&agent%2`) wrong.push(pieces)
    }
  }
  t.strictSame(wrong, [])
  t.end()
})

test('a tail that could be the start of an id is held back, and no more than that', (t) => {
  const scrubber = new Scrubber(OURS, [NATIVE])
  const pieces = ['a clean start, n', 'o, na', 'tive', '-1234', '6 but nat', 'ive-12345', '!', 'nat']
  t.strictSame(pieces.map((piece) => scrubber.delta('m', piece)), ['a clean start, ', 'no, ', '', '', 'native-12346 but ', OURS, '!', ''])
  t.equal(scrubber.flush('m'), 'nat', 'what is held back comes out at the end')
  t.equal(scrubber.flush('m'), '', 'once')
  t.end()
})

test('without a long id nothing is held back', (t) => {
  const scrubber = new Scrubber(OURS, ['tiny'])
  t.strictSame(['t', 'tin', 'tiny', ''].map((piece) => scrubber.delta('m', piece)), ['t', 'tin', 'tiny', ''])
  t.equal(scrubber.flush('m'), '')
  t.end()
})

test('streams do not mix: each holds back its own tail', (t) => {
  const scrubber = new Scrubber(OURS, [NATIVE])
  t.equal(scrubber.delta('one', 'native-'), '')
  t.equal(scrubber.delta('two', '12345'), '12345')
  t.equal(scrubber.delta('two', ' nat'), ' ')
  t.equal(scrubber.delta('one', '12345.'), `${OURS}.`)
  t.equal(scrubber.flush('two'), 'nat')
  t.equal(scrubber.flush('one'), '')
  t.end()
})

test('an id that becomes known in the middle of a stream is replaced from then on', (t) => {
  const scrubber = new Scrubber(OURS, [])
  t.equal(scrubber.delta('m', `${NATIVE} native-`), `${NATIVE} native-`)
  scrubber.add(NATIVE)
  t.equal(scrubber.delta('m', `${NATIVE} native-`), `${OURS} `)
  t.equal(scrubber.delta('m', '12345'), OURS)
  t.end()
})

test('ids are replaced in strings and keys at any depth, also URL-encoded, and nothing else is touched', (t) => {
  const id = 'agent/42?x=é"\\'
  const url = encodeURIComponent(id)
  const fields = {
    toolId: id,
    toolInput: { path: `/tmp/${id}/log`, [id]: [1, null, true, { [`in ${id}`]: `see https://x.test/?s=${url}&t=${id}` }], [`u-${url}`]: '' },
    toolName: 'agent/42?x=e'
  }
  const clean = {
    toolId: OURS,
    toolInput: { path: `/tmp/${OURS}/log`, [OURS]: [1, null, true, { [`in ${OURS}`]: `see https://x.test/?s=${OURS}&t=${OURS}` }], [`u-${OURS}`]: '' },
    toolName: 'agent/42?x=e'
  }
  const scrubbed = new Scrubber(OURS, [id]).fields(fields)
  t.strictSame(scrubbed.fields, clean)
  t.equal(scrubbed.json, JSON.stringify(clean))
  t.equal(fields.toolId, id, 'the provider\'s own object is left alone')
  t.end()
})

test('short ids are replaced as whole values and keys only', (t) => {
  const scrubber = new Scrubber(OURS, ['7', 'abc-123'])
  const { fields } = scrubber.fields({ content: 'abc-1234 or 7 of 9', list: ['7', 'abc-123', 'x 7', 7], map: { 7: 1, 'abc-123': 2, 77: 3 } })
  t.strictSame(fields, { content: 'abc-1234 or 7 of 9', list: [OURS, OURS, 'x 7', 7], map: { [OURS]: 2, 77: 3 } })
  t.strictSame(['7', '77', 'abc-123', 'abc-123 '].map((text) => scrubber.text(text)), [OURS, '77', OURS, 'abc-123 '])
  t.end()
})

test('fields that are made for a session id never leave, known or not', (t) => {
  const scrubber = new Scrubber(OURS, [])
  const { fields, json } = scrubber.fields({ session_id: 'n1', providerSessionId: 'n2', newSessionId: 'n3', actualSessionId: 'n4', content: 'n1' })
  const clean = { session_id: OURS, providerSessionId: OURS, newSessionId: OURS, actualSessionId: OURS, content: 'n1' }
  t.strictSame(fields, clean)
  t.equal(json, JSON.stringify(clean))
  t.strictSame(scrubber.fields({ session_id: null }).fields, { session_id: null })
  t.end()
})

test('one id that starts another does not spoil it in a whole text', (t) => {
  for (const ids of [['session-1', 'session-10'], ['session-10', 'session-1']]) {
    t.equal(new Scrubber(OURS, ids).text('session-10, session-1 and session-100'), `${OURS}, ${OURS} and ${OURS}0`)
  }
  t.end()
})

test('the app\'s own session id is not native, even if a provider says so', (t) => {
  const scrubber = new Scrubber('our-session', ['our-session', NATIVE])
  scrubber.add('our-session')
  t.equal(streamed(scrubber, ['our-', `session ${NATIVE}`]), 'our-session our-session')
  t.end()
})

test('what is checked is what would be sent: a toJSON cannot smuggle an id out', (t) => {
  let calls = 0
  const data = { toJSON: () => ({ id: calls++ === 0 ? `it is ${NATIVE}` : `later ${NATIVE}` }) }
  const { fields, json } = new Scrubber(OURS, [NATIVE]).fields({ data })
  t.strictSame(fields, { data: { id: `it is ${OURS}` } })
  t.equal(json, JSON.stringify(fields))
  t.equal(calls, 1)
  t.end()
})

test('a clean event is encoded and not walked; one that is no JSON throws', (t) => {
  const scrubber = new Scrubber(OURS, [NATIVE])
  const fields = { data: { deep: ['x'] } }
  t.equal(scrubber.fields(fields).fields, fields)
  t.equal(scrubber.fields(fields).json, '{"data":{"deep":["x"]}}')
  t.throws(() => scrubber.fields({ data: 1n }), TypeError)
  t.end()
})

test('of two ids of which one begins the other the longer is replaced, also when a stream cuts it', (t) => {
  for (const cut of Array.from({ length: 11 }, (_, index) => index)) {
    const scrubber = new Scrubber('SESSION', ['session-1', 'session-10'])
    const parts = ['session-10'.slice(0, cut), 'session-10'.slice(cut), '!']
    t.equal(parts.map((part) => scrubber.delta('m', part)).join('') + scrubber.flush('m'), 'SESSION!', `cut at ${cut}`)
  }
  const scrubber = new Scrubber('SESSION', ['session-1', '1-is-another'])
  t.equal(scrubber.delta('m', 'session-1'), 'SESSION', 'the end of a whole id is not the start of the next')
  t.end()
})

test('our own id stays as it is, also if a native one is part of it', (t) => {
  const scrubber = new Scrubber('chat-abcdefgh', ['abcdefgh'])
  t.equal(scrubber.text('see chat-abcdefgh and abcdefgh'), 'see chat-abcdefgh and chat-abcdefgh')
  t.end()
})

test('a session id that is the name of an envelope\'s field cannot forge it', (t) => {
  for (const id of ['kind', 'seq', 'sessionId', 'runId', 'provider', 'timestamp']) {
    const { json } = new Scrubber(id, ['native-12345']).fields({ 'native-12345': 'complete', inner: { 'native-12345': 1 } })
    t.strictSame(JSON.parse(json), { inner: { [id]: 1 } })
  }
  t.end()
})

test('what is held back as the start of one id may be the whole of another, and does not come out', (t) => {
  for (const [ids, text, clean] of [
    [['thread-100', 'thread-1001'], 'resume thread-100', 'resume SESSION'],
    [['abcdefgh-1', 'proj/abcdefgh-1/x'], 'in proj/abcdefgh-1', 'in proj/SESSION']
  ] as const) {
    const scrubber = new Scrubber('SESSION', ids)
    t.equal(scrubber.delta('m', text) + scrubber.flush('m'), clean)
  }
  t.end()
})
