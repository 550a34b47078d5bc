import { test } from 'tap'
import { MessageBudget } from '../../transports/websocket/message-budget.ts'

test('a client may send twenty seconds\' worth at once, then no more', (t) => {
  const budget = new MessageBudget(1)
  t.strictSame([budget.take(10), budget.take(10), budget.take(20)], [true, true, false])
  t.end()
})

test('what costs more than there is is refused, and owed all the same', (t) => {
  const budget = new MessageBudget(1)
  t.strictSame([budget.take(1_000), budget.take(0)], [false, false])
  t.end()
})

test('time gives back what was spent, and never more than twenty seconds\' worth', async (t) => {
  const budget = new MessageBudget(1e9)
  // A millisecond more than there is.
  t.equal(budget.take(20.001e9), false)
  for (let tries = 1; !budget.take(0); tries++) await new Promise((resolve) => { setImmediate(resolve) })
  t.equal(budget.take(20e9 + 1), false)
})
