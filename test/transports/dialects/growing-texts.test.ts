import fc from 'fast-check'
import { test } from 'tap'
import { GrowingTexts } from '../../../transports/dialects/common/growing-texts.ts'

test('whatever was told in which pieces, a whole adds what is missing, and nothing if it does not go on from there', (t) => {
  const text = fc.string({ unit: 'binary', maxLength: 40 })
  t.doesNotThrow(() => fc.assert(fc.property(fc.array(text, { maxLength: 5 }), text, text, (pieces, more, other) => {
    const texts = new GrowingTexts()
    const told = pieces.map((content) => texts.append('m', { content })).join('')
    const missing = texts.replace('m', told + more)
    const expected = other.startsWith(told + more) ? other.slice(told.length + more.length) : ''
    return missing === more && texts.replace('m', other) === expected && texts.has('m') && !texts.has('n')
  }), { numRuns: 2_000 }))
  const texts = new GrowingTexts()
  t.equal(texts.append('m', { content: 'ab' }), 'ab')
  t.equal(texts.replace('m', 'ac'), '', 'another text of the same length')
  t.equal(texts.append('m', { content: 'abc', snapshot: true }), 'c')
  t.end()
})
