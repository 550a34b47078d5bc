import { test } from 'tap'
import { compare, type Round } from '../../bench/measure/comparison.ts'
import { isMet, ratio, spread, value } from '../../bench/measure/figure.ts'
import { interleave } from '../../bench/measure/interleave.ts'

test('rounds of all sides take turns, another side goes first in each, and the first does not count', async (t) => {
  const order: string[] = []
  const side = (name: string) => async () => order.push(name)
  const { warmUp, turns } = await interleave(3, { a: side('a'), b: side('b') })
  t.equal(order.join(''), 'ababbaab')
  t.strictSame(warmUp, { a: 1, b: 2 })
  t.strictSame(turns, [{ a: 3, b: 4 }, { b: 5, a: 6 }, { a: 7, b: 8 }])
})

test('a line has the medians of the rounds, and the median of their ratios', async (t) => {
  const rounds = (figures: number[]) => async (): Promise<Round> => ({ figures: { rate: figures.shift()! }, fault: null })
  const lines = await compare({
    bench: 'append',
    what: 'some',
    rounds: 3,
    warmUp: false,
    figures: { rate: { unit: '/s', goal: ratio('>=', 0.5) } },
    complete: 'all',
    sides: { ours: rounds([10, 20, 30]), bare: rounds([20, 25, 100]), other: rounds([10, 10, 10]) }
  })
  t.strictSame(lines.map(({ against, figures: [figure] }) => [against, figure!.ours.median, figure!.other!.median, figure!.ratio, isMet(figure!)]), [
    ['bare', 20, 25, { median: 0.5, min: 0.3, max: 0.8 }, true],
    ['other', 20, 10, { median: 2, min: 1, max: 3 }, null]
  ])
})

test('what any side did not get is a fault of the line', async (t) => {
  const round = (fault: string | null) => async (): Promise<Round> => ({ figures: {}, fault })
  const of = (ours: string | null, bare: string | null) => compare({ bench: 'append', what: 'some', rounds: 1, figures: {}, complete: 'all', sides: { ours: round(ours), bare: round(bare) } })
  t.equal((await of(null, null))[0]!.fault, null)
  t.equal((await of(null, '1 of 2'))[0]!.fault, 'bare: 1 of 2')
  t.equal((await of('1 of 2', null))[0]!.fault, 'ours: 1 of 2')
})

test('a goal is of the ratio or of our own figure, and its first number counts', (t) => {
  const figure = { name: 'rate', unit: 'ms' as const, ours: spread([2]), other: spread([4]), ratio: spread([0.5]) }
  t.equal(isMet({ ...figure, goal: ratio('>=', 0.5, 2) }), true)
  t.equal(isMet({ ...figure, goal: ratio('<=', 0.4) }), false)
  t.equal(isMet({ ...figure, goal: value('<=', 2) }), true)
  t.equal(isMet({ ...figure, goal: value('>=', 3) }), false)
  t.equal(isMet({ ...figure, goal: null }), null)
  t.end()
})
