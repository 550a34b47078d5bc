import { test } from 'tap'
import { BackOff } from '../../client/back-off.ts'

const between = (delayMs: number | null, least: number): boolean => delayMs !== null && delayMs >= least && delayMs <= 1.5 * least

test('waits double with each failure in a row up to the longest, and begin anew after a success', async (t) => {
  const backOff = new BackOff({ minMs: 100, maxMs: 1_000 })
  for (const least of [100, 200, 400, 800, 1_000, 1_000]) t.ok(between(backOff.failed(), least), `${least}`)
  t.equal(backOff.failures, 6)
  backOff.succeeded()
  t.equal(backOff.failures, 0)
  t.ok(between(backOff.failed(), 100))
})

test('waits are not alike', async (t) => {
  const waits = new Set(Array.from({ length: 20 }, () => new BackOff({ minMs: 1_000 }).failed()))
  t.ok(waits.size > 1)
})

test('the server says how long the first wait is, and how long one must be', async (t) => {
  const backOff = new BackOff({ minMs: 100, maxMs: 10_000 })
  backOff.suggest(3_000)
  t.ok(between(backOff.failed(), 3_000))
  t.ok(between(backOff.failed(), 6_000))
  t.ok(between(backOff.failed(60_000), 60_000))
  t.ok(between(backOff.failed(1), 10_000))
})

test('so many failures in a row are forgiven, and no more', async (t) => {
  const backOff = new BackOff({ minMs: 1, attempts: 2 })
  backOff.failed()
  backOff.succeeded()
  t.ok(between(backOff.failed(), 1))
  t.ok(between(backOff.failed(), 2))
  t.equal(backOff.failed(), null)
})

test('without options it is half a second at first, half a minute at most, and for ever', async (t) => {
  const backOff = new BackOff()
  t.ok(between(backOff.failed(), 500))
  for (let failures = 0; failures < 2_000; failures++) backOff.failed()
  t.ok(between(backOff.failed(), 30_000))
})

for (const [suggested, least] of [[-1, 100], [0, 100], [99, 100], [NaN, 100], [-Infinity, 100], ['5000', 100], [null, 100], [undefined, 100], [[5_000], 100], [{}, 100], [5_000, 5_000], [1e300, 10_000], [Infinity, 10_000]] as const) {
  test(`a server that suggests ${typeof suggested} ${String(suggested)} as the first wait gets ${least} ms`, async (t) => {
    const backOff = new BackOff({ minMs: 100, maxMs: 10_000 })
    backOff.suggest(suggested)
    t.ok(between(backOff.failed(), least))
    t.ok(between(backOff.failed(), Math.min(10_000, 2 * least)), 'and it grows')
  })
}

test('a server that insists gets five minutes at most, or the longest wait if that is longer; no wait is longer than a timer', async (t) => {
  for (const atLeastMs of [300_001, 1e300, Infinity]) t.ok(between(new BackOff({ minMs: 1, maxMs: 10 }).failed(atLeastMs), 300_000))
  t.ok(between(new BackOff({ minMs: 1, maxMs: 1_000_000 }).failed(Infinity), 1_000_000))
  t.ok(between(new BackOff({ minMs: 1, maxMs: 10 }).failed(-Infinity), 1))
  t.equal(new BackOff({ minMs: 2 ** 31 - 1, maxMs: 2 ** 31 - 1 }).failed(Infinity), 2 ** 31 - 1)
})

test('a first wait of nothing grows all the same', async (t) => {
  const backOff = new BackOff({ minMs: 0, maxMs: 1_000 })
  for (const least of [1, 2, 4, 8]) t.ok(between(backOff.failed(), least))
  for (let failures = 0; failures < 2_000; failures++) backOff.failed()
  t.ok(between(backOff.failed(), 1_000))
})
