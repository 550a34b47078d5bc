/* A seed that fails is worth something only if it fails again. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { simulate } from './schedule.ts'

test('a seed is played the same way every time, to the last line of its trace', async (t) => {
  for (let seed = 100; seed < 120; seed++) {
    const [first, second] = [await simulate(seed), await simulate(seed)]
    t.ok(first.trace.length > 10)
    t.strictSame(second.trace, first.trace, `seed ${seed}`)
  }
  t.notSame((await simulate(1)).trace, (await simulate(2)).trace)
})

test('the clock, timers and chance of the process are its own again afterwards', async (t) => {
  const before = { now: Date.now, setTimeout, setInterval, setImmediate, Date, random: Math.random, performanceNow: performance.now }
  await simulate(3)
  t.strictSame({ now: Date.now, setTimeout, setInterval, setImmediate, Date, random: Math.random, performanceNow: performance.now }, before)
  t.ok(Math.abs(new Date().getTime() - before.now()) < 60_000)
  t.notMatch(randomUUID(), /^00000000-/)
  const started = performance.now()
  await delay(5)
  t.ok(performance.now() - started >= 4)
  t.equal(process.listenerCount('unhandledRejection'), 0)
})
