/* Ends of approvals that break the contract. */
import type { MemoryDatabase, MemoryPermission, MemoryRun } from '../../../db/memory/database.ts'
import { parseEvent, type CompleteEvent, type StoredEvent } from '../../../lib/protocol/event.ts'
import type { Breakage } from './breakage.ts'

/** An end from outside that does not know of some approvals. */
const forgetting = (forgets: (permission: MemoryPermission) => boolean): Breakage => (store, database) => ({
  closeRun: (...args) => without(database, forgets, () => store.closeRun(...args))
})

/** Does work that is over when it returns, while some approvals seem to have an outcome. */
function without<T> ({ permissions }: MemoryDatabase, forgets: (permission: MemoryPermission) => boolean, work: () => T): T {
  const forgotten = [...permissions.values()].filter((permission) => permission.outcome === null && forgets(permission))
  for (const permission of forgotten) permission.outcome = permission.request
  const answer = work()
  for (const permission of forgotten) permission.outcome = null
  return answer
}

/** An end from outside that writes something else, or in another order. */
const ending = (rewrite: (events: StoredEvent[]) => StoredEvent[]): Breakage => (store, database) => ({
  async closeRun (runId, how, { promote }) {
    const run = database.runs.get(runId)
    const closed = await store.closeRun(runId, how, { promote: false })
    if (run === undefined || closed === null || closed.promotion.events.length === 0) return store.closeRun(runId, how, { promote })
    const { session } = run
    const firstSeq = closed.promotion.events[0]!.seq
    const events = rewrite(closed.promotion.events).map((event, index) => ({ ...event, seq: firstSeq + index, json: event.json.replace(/"seq":\d+/, `"seq":${firstSeq + index}`) }))
    session.events = [...session.events.filter(({ seq }) => seq < firstSeq), ...events]
    session.lastSeq = events.at(-1)!.seq
    relink(database, run, events)
    const complete = events.find(({ kind }) => kind === 'complete')!
    run.completeSeq = complete.seq
    const next = promote ? await store.claimQueuedRun() : null
    return { complete: parseEvent(complete) as CompleteEvent, promotion: { ...closed.promotion, events: [...events, ...next?.events ?? []], claimed: next?.claimed ?? null } }
  }
})

/** The approvals of a run have the outcomes that its log says. */
function relink ({ permissions }: MemoryDatabase, { runId }: MemoryRun, events: StoredEvent[]): void {
  for (const outcome of events.filter(({ kind }) => kind === 'permission_cancelled')) {
    const permission = permissions.get((JSON.parse(outcome.json) as { requestId: string }).requestId)
    if (permission?.run.runId === runId) permission.outcome = outcome
  }
}

const isCancellation = ({ kind }: StoredEvent): boolean => kind === 'permission_cancelled'

/** Breakages of how approvals end. */
export const BROKEN_SETTLING: Record<string, Breakage> = {
  'an end from outside forgets approvals': forgetting(() => true),
  'an end from outside forgets what was answered': forgetting(({ decision }) => decision !== null),
  'an end from outside cancels only what was answered': forgetting(({ decision }) => decision === null),
  'an end from outside cancels the approvals of other runs': (store, database) => ({
    async closeRun (runId, ...rest) {
      const run = database.runs.get(runId)
      const others = [...database.permissions.values()].filter((permission) => permission.run.session === run?.session && permission.outcome === null)
      if (run?.ending === null) for (const permission of others) Object.assign(permission, { run })
      return store.closeRun(runId, ...rest)
    }
  }),
  'an end from outside cancels what is settled': (store, database) => ({
    async closeRun (runId, ...rest) {
      const run = database.runs.get(runId)
      if (run?.ending === null) for (const permission of database.permissions.values()) if (permission.run === run) permission.outcome = null
      return store.closeRun(runId, ...rest)
    }
  }),
  'an interruption forgets approvals': (store, database) => ({
    startRun: (run) => without(database, () => true, () => store.startRun(run))
  }),
  'an interruption forgets what was answered': (store, database) => ({
    startRun: (run) => without(database, ({ decision }) => decision !== null, () => store.startRun(run))
  }),
  'approvals are cancelled after the terminal': ending((events) => [...events.filter((event) => !isCancellation(event)), ...events.filter(isCancellation)]),
  'approvals are cancelled before the last words': ending((events) => [...events.filter(isCancellation), ...events.filter((event) => !isCancellation(event))]),
  'approvals are cancelled newest first': ending((events) => {
    const cancellations = events.filter(isCancellation)
    return events.map((event) => isCancellation(event) ? cancellations.pop()! : event)
  }),
  'approvals are cancelled without the reason': ending((events) => events.map((event) => (
    isCancellation(event) ? { ...event, json: event.json.replace(/"reason":"\w+"/, '"reason":"withdrawn"') } : event
  ))),
  'cancelled approvals have no outcome of their own': (store, database) => ({
    async closeRun (runId, ...rest) {
      const closed = await store.closeRun(runId, ...rest)
      for (const permission of database.permissions.values()) if (permission.run.runId === runId && permission.outcome?.kind === 'permission_cancelled') permission.outcome = null
      return closed
    }
  }),
  'compaction takes approvals': (store, database) => ({
    async compactRun (runId, keep) {
      const session = database.runs.get(runId)?.session
      const left = await store.compactRun(runId, keep)
      if (session !== undefined) session.events = session.events.filter(({ kind }) => kind !== 'permission_request')
      return left
    }
  })
}
