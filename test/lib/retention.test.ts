import { test, type Test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { Store } from '../../index.ts'
import { silentLogger } from '../../lib/common/logger.ts'
import { runsError } from '../../lib/protocol/errors.ts'
import { eventEncoder, pendingEvent } from '../../lib/protocol/event.ts'
import { Retention } from '../../lib/runs/retention.ts'
import { latch } from '../helpers/latch.ts'
import { newRun } from '../helpers/new-run.ts'

/** The retention of a store of which only some calls are there. */
function build (t: Test, store: object): Retention {
  // Its timer holds no process.
  const alive = setInterval(() => {}, 1e6)
  const retention = new Retention({ store: store as Store, completedRunMs: 0, maxTransientEventsPerRun: 10, sessionMs: 0, expire: async () => {}, log: silentLogger })
  t.teardown(() => {
    clearInterval(alive)
    retention.close()
  })
  return retention
}

test('a run that cannot be compacted does not keep the others from it, and is not tried for ever', async (t) => {
  const done = latch()
  const tried: string[] = []
  const store = {
    listCompactableRuns: async () => ['bad', 'one', 'two'].filter((runId) => runId === 'bad' || !tried.includes(runId)),
    compactRun: async (runId: string) => {
      tried.push(runId)
      if (runId === 'bad') throw new Error('too big')
      if (runId === 'two') done.open()
      return 0
    }
  }
  const retention = build(t, store)
  retention.open()
  await done.promise
  t.strictSame(tried, ['bad', 'one', 'two'])
})

test('a run that is compacted late, after its end, is still compacted as a completed one', async (t) => {
  const store = sqliteStore({ path: ':memory:' })
  t.teardown(() => store.close())
  await store.open()
  await store.startRun(newRun('r'))
  const encode = eventEncoder({ sessionId: 's', runId: 'r', provider: 'p' })
  const events = [
    ...['a', 'b', 'c'].map((content) => pendingEvent('stream_delta', { messageId: content, content })),
    ...['a', 'b', 'c'].map((content) => pendingEvent('text', { role: 'assistant', messageId: content, content })),
    pendingEvent('complete', { exitCode: 0, success: true, aborted: false, reason: 'finished', actualSessionId: 's' })
  ].map((event, index) => encode(event, index + 2))
  await store.append([{ runId: 'r', events, ending: { exitCode: 0, aborted: false, reason: 'finished' }, promote: false }])
  t.equal(await store.compactRun('r', 2), 2)
  t.strictSame(await store.listCompactableRuns(Date.now() + 1, 10), ['r'])
  t.equal(await store.compactRun('r', 0), 0)
  t.strictSame(await store.listCompactableRuns(Date.now() + 1, 10), [])
})

test('one error of the store that passes does not end the compaction of a run, running or completed', async (t) => {
  const done = latch()
  const calls: string[] = []
  let isAway = true
  const store = {
    listCompactableRuns: async () => calls.includes('completed 0 done') ? [] : ['completed'],
    listIdleSessions: async () => [],
    purge: async () => false,
    compactRun: async (runId: string, keep: number) => {
      if (isAway) {
        calls.push(`${runId} ${keep} away`)
        isAway = calls.length < 2
        throw runsError('STORE_UNAVAILABLE')
      }
      calls.push(`${runId} ${keep} done`)
      if (calls.includes('running 5 done') && calls.includes('completed 0 done')) done.open()
      return 0
    }
  }
  const retention = build(t, store)
  const delta = { seq: 1, kind: 'stream_delta', runId: 'running', transient: true, json: '{}' }
  retention.committed(Array.from({ length: 11 }, () => delta))
  retention.open()
  await done.promise
  t.equal(calls.filter((call) => call.endsWith('away')).length, 2, calls.join())
})
