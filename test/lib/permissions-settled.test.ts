/* Who waits for a commit waits for what was there when the waiting began, and for nothing that comes after it. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { Store } from '../../index.ts'
import { pendingEvent } from '../../lib/protocol/event.ts'
import { Committer } from '../../lib/runs/committer.ts'
import type { AppendGroup, AppendOutcome } from '../../lib/store/store.ts'
import { startAsking, TOOL } from '../helpers/approvals.ts'
import { latch, type Latch } from '../helpers/latch.ts'
import { quietLogger } from '../helpers/memory-log.ts'

const event = () => pendingEvent('custom', { name: 'x' })

/** A committer whose batches wait for the test, each for its own latch. */
function build () {
  const batches: Array<{ size: number, answer: Latch<AppendOutcome> }> = []
  const arrivals: Latch[] = []
  const append = async (groups: AppendGroup[]) => {
    const batch = { size: groups.reduce((sum, { events }) => sum + events.length, 0), answer: latch<AppendOutcome>() }
    batches.push(batch)
    arrivals[batches.length - 1]?.open()
    const outcome = await batch.answer.promise
    return groups.map(() => ({ outcome, promotion: null }))
  }
  const committer = new Committer({ store: { append } as unknown as Store, publish: () => {}, promoted: () => {}, promotes: () => true, patienceMs: 30_000, log: quietLogger })
  const arrived = async (count: number): Promise<void> => {
    if (batches.length < count) await (arrivals[count - 1] ??= latch()).promise
  }
  return { log: committer.open({ sessionId: 's', runId: 'r', provider: 'p' }, 0, () => {}), batches, arrived }
}

test('each waits for its own events, however many come after them', async (t) => {
  const { log, batches, arrived } = build()
  const settled: string[] = []
  const wait = (name: string): Promise<void> => log.settled().then(() => { settled.push(name) })
  log.append(event())
  const [a, same] = [wait('a'), wait('same')]
  await arrived(1)
  log.append(event())
  log.append(event())
  const b = wait('b')
  batches[0]!.answer.open('ok')
  await Promise.all([a, same])
  await arrived(2)
  log.append(event())
  const c = wait('c')
  await nextTurn()
  t.strictSame([settled, batches.map(({ size }) => size)], [['a', 'same'], [1, 2]])
  batches[1]!.answer.open('ok')
  await b
  await arrived(3)
  t.strictSame(settled, ['a', 'same', 'b'])
  batches[2]!.answer.open('ok')
  await c
  await log.settled()
  t.equal(log.newest?.seq, 4)
})

test('a log that takes no more lets everybody go who waits, and who comes later', async (t) => {
  const { log, batches, arrived } = build()
  log.append(event())
  const first = log.settled()
  await arrived(1)
  log.append(event())
  const second = log.settled()
  batches[0]!.answer.open('stale')
  await Promise.all([first, second])
  log.append(event())
  await log.settled()
  t.strictSame([log.rejection, batches.length], ['stale', 1])
})

test('an agent that had to wait for a commit goes on with it, though what it asked meanwhile is not committed yet', async (t) => {
  const store = sqliteStore({ path: ':memory:' })
  const append = store.append.bind(store)
  const batches = [latch(), latch()]
  const asked = [latch(), latch()]
  let calls = 0
  store.append = async (groups) => {
    const call = calls++
    asked[call]?.open()
    await batches[call]?.promise
    return append(groups)
  }
  const { run, ask, end } = await startAsking(t, {}, { store })
  const taken = run.emit({ kind: 'text', content: 'x'.repeat(600_000) })
  await asked[0]!.promise
  void ask(TOOL)
  batches[0]!.open()
  await asked[1]!.promise
  await taken
  batches[1]!.open()
  t.strictSame((await end()).slice(2), ['asks 1', 'cancelled 1 finished', 'complete finished'])
})
