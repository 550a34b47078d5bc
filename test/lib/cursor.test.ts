import fc from 'fast-check'
import { test } from 'tap'
import { parseCursor } from '../../lib/protocol/cursor.ts'

test('a cursor that is absent, empty or blank is the beginning', (t) => {
  t.strictSame([undefined, '', ' ', '\t \n'].map(parseCursor), [0, 0, 0, 0])
  t.end()
})

test('a cursor is a plain decimal seq up to the greatest safe integer', (t) => {
  t.strictSame(['0', '1', '42', '9007199254740991'].map(parseCursor), [0, 1, 42, Number.MAX_SAFE_INTEGER])
  t.end()
})

test('what Number would read but is no seq is no cursor', (t) => {
  const others = [
    '-1', '+1', '-0', '00', '01', '1.0', '1.', '.5', '1e3', '0x10', '0b1', '1_000', '1,000', ' 1', '1 ', '1\n', '1\r\n2', '\u00001',
    '9007199254740992', '9999999999999999', '10000000000000000', '1'.repeat(400), 'NaN', 'Infinity', 'null', 'latest', 'LATEST', '١', '１', '1n'
  ]
  for (const text of others) t.equal(parseCursor(text), null, JSON.stringify(text))
  t.end()
})

test('every seq survives the way through text', (t) => {
  t.doesNotThrow(() => fc.assert(fc.property(fc.maxSafeNat(), (seq) => parseCursor(String(seq)) === seq)))
  t.end()
})

test('whatever text is accepted is blank, or spelt exactly as we would spell it', (t) => {
  const digits = fc.string({ unit: fc.constantFrom('0', '1', '9', ' ', '-', '+', '.', 'e', 'x', '\n'), maxLength: 18 })
  t.doesNotThrow(() => fc.assert(fc.property(fc.oneof(digits, fc.string()), (text) => {
    const cursor = parseCursor(text)
    return cursor === null || (text.trim() === '' ? cursor === 0 : String(cursor) === text)
  }), { numRuns: 1_000 }))
  t.end()
})
