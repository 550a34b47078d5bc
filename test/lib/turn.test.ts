/* Turns of the event loop: work that never waits has 20 ms of each, however many do such work. */
import { test } from 'tap'
import { endTurn, isTurnLong } from '../../lib/common/turn.ts'

test('all long work shares the time of a turn, and the next turn has its own', async (t) => {
  const { now } = performance
  t.teardown(() => { performance.now = now })
  let time = 0
  performance.now = () => time
  for (let turn = 0; turn < 3; turn++) {
    t.notOk(isTurnLong(), 'the first to ask')
    time += 20
    t.notOk(isTurnLong(), 'another one, in time')
    time += 1
    t.ok(isTurnLong())
    t.ok(isTurnLong(), 'and for every other one')
    await endTurn()
  }
})

test('what waited for something else does not count', async (t) => {
  const { now } = performance
  t.teardown(() => { performance.now = now })
  let time = 0
  performance.now = () => time
  t.notOk(isTurnLong())
  time += 1_000
  await new Promise(setImmediate)
  t.notOk(isTurnLong())
})
