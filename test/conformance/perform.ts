/* What two stores answer to commands, in words that can be compared. */
import assert from 'node:assert/strict'
import { asks, newRun, resolves, withdraws } from '../../conformance/store/driven-run.ts'
import { type Event, eventEncoder, parseEvent, type PendingEvent, pendingEvent } from '../../lib/protocol/event.ts'
import { completeFields } from '../../lib/protocol/run-ending.ts'
import type { RunEnding } from '../../lib/protocol/run-state.ts'
import type { AppendGroup, LogPage, Store } from '../../lib/store/store.ts'
import { type Command, FAR } from './commands.ts'

const SESSIONS = ['a', 'b']
const ALL = { rows: 1_000, bytes: 10_000_000 }

/** The groups that were sent to stores, the newest last. */
const sent = new WeakMap<Store, AppendGroup[]>()

interface RunAt { runId: string, sessionId: string, provider: string, lastSeq: number, completed: boolean }

/** What was asked for, whether or not that was taken, the newest last. */
const asked = new WeakMap<Store, Array<{ requestId: string, run: RunAt }>>()

/** Asks one of `stores`; its answer, and then everything that can be seen, without times and names of instances. */
export async function perform (stores: Store[], command: Command, index: number): Promise<string> {
  const words = async (work: () => Promise<unknown>): Promise<unknown> => {
    try {
      return await work()
    } catch (error) {
      return (error as { code?: string }).code ?? String(error)
    }
  }
  const answer = await words(() => ask(stores, command, index))
  const other = stores[1 - command.by]!
  const seen = await Promise.all(SESSIONS.map(async (id) => {
    const log = await words(() => other.read(id, null, 0, ALL))
    assertPendingIsInTheLog(log)
    return [
      log,
      await words(() => other.getSession(id, null)),
      await words(() => other.listRuns(id, null, { limit: 100, before: null })),
      await words(() => other.readHistory(id, null, { before: null, limit: 100 })),
      await Promise.all((asked.get(stores[0]!) ?? []).map(({ requestId }) => words(async () => {
        const state = await other.getPermission(id, null, requestId)
        return state && [state.status, state.request.json, state.outcome?.json]
      })))
    ]
  }))
  const lists = [
    await other.lastSeqs(SESSIONS), await other.listSessions('ada', { rows: 10, bytes: 1e6, before: null }), await stores[0]!.listAnswers(100), await stores[1]!.listAnswers(100),
    ...(await Promise.all([other.listRunningRuns(null, { limit: 100, after: null }), other.listOwnRuns(), other.listIdleSessions(FAR, 10), other.listCompactableRuns(FAR, 100)])).map(sorted)
  ]
  return comparable([answer, seen, lists], stores)
}

async function ask (stores: Store[], command: Command, index: number): Promise<unknown> {
  const store = stores[command.by]!
  switch (command.ask) {
    case 'start': return store.startRun(newRun(`r${index}`, { ...command.more, options: { index } }))
    case 'stop': return store.stopMessage(command.sessionId, command.owner, command.name)
    case 'claim': return store.claimQueuedRun()
    case 'create': return store.createSession({ id: command.sessionId, owner: command.owner, provider: null, title: null, metadata: {} })
    case 'update': return store.updateSession(command.sessionId, command.owner, command.patch)
    case 'delete': return store.deleteSession(command.sessionId, command.owner, command.options)
    case 'native': return store.setProviderSessionId(command.sessionId, command.provider, command.id)
    case 'page': return [
      await store.read(command.sessionId, command.owner, command.after, { ...ALL, rows: command.rows }),
      await store.readHistory(command.sessionId, command.owner, { before: command.before, limit: command.rows })
    ]
    case 'again': {
      const group = (sent.get(stores[0]!) ?? []).at(-1 - command.back)
      // What a compaction took cannot be known again.
      if (group === undefined || group.events.at(-1)!.transient) return null
      // Only of the end that was sent last is it said what is set in motion again, and a conformance test sees to that.
      return (await store.append([group])).map(({ outcome }) => outcome)
    }
    case 'answer': {
      const permission = (asked.get(stores[0]!) ?? []).at(-1 - command.back)
      return permission === undefined ? null : store.answerPermission(command.sessionId ?? permission.run.sessionId, command.owner, permission.requestId, command.decision)
    }
    case 'settle': {
      const { requestId, run } = (asked.get(stores[0]!) ?? []).at(-1 - command.back) ?? {}
      const [lastSeq] = run === undefined ? [null] : await store.lastSeqs([run.sessionId])
      if (requestId === undefined || run === undefined || lastSeq == null) return null
      const outcome = command.kind === 'resolved' ? resolves(requestId) : withdraws(requestId)
      return send(stores, store, { ...run, lastSeq }, [outcome, ...command.ending === null ? [] : [complete(run, command.ending, index)]], 0, { ending: command.ending })
    }
    default: {
      const run = await runBack(store, command.back)
      if (run === null) return null
      switch (command.ask) {
        case 'cancel': return store.cancelQueuedRun(run.runId)
        case 'close': return store.closeRun(run.runId, command.ending, { promote: command.promote })
        case 'compact': return store.compactRun(run.runId, run.completed ? command.keep : Math.max(1, command.keep))
        case 'append': return send(stores, store, run, command.events, command.off)
        case 'ask': {
          const requestIds = Array.from({ length: command.requests }, (_, i) => `p${index}.${i}`)
          asked.set(stores[0]!, [...asked.get(stores[0]!) ?? [], ...requestIds.map((requestId) => ({ requestId, run }))])
          return send(stores, store, run, [...command.events, ...requestIds.map(asks)], command.off)
        }
        case 'end': return send(stores, store, run, [...command.events, complete(run, command.ending, index)], 0, command)
      }
    }
  }
}

/** A terminal like no other: not even like the one that a store writes in the same millisecond. */
function complete ({ sessionId }: RunAt, ending: RunEnding, index: number): PendingEvent {
  return pendingEvent('complete', completeFields(sessionId, { ...ending, usage: { index } }))
}

/** A run, those of both sessions taken together, the newest first. */
async function runBack (store: Store, back: number): Promise<RunAt | null> {
  const all: RunAt[] = []
  for (const sessionId of SESSIONS) {
    const runs = await store.listRuns(sessionId, null, { limit: 100, before: null })
    const [lastSeq] = await store.lastSeqs([sessionId])
    all.push(...runs.map(({ runId, provider, status }) => ({ runId, sessionId, provider, lastSeq: lastSeq!, completed: status === 'completed' })))
  }
  return all.sort((a, b) => Number(b.runId.slice(1)) - Number(a.runId.slice(1)))[back] ?? null
}

async function send (
  stores: Store[], store: Store, run: RunAt, pending: PendingEvent[], off: number, { ending = null, promote = true }: { ending?: AppendGroup['ending'], promote?: boolean } = {}
): Promise<unknown> {
  const encode = eventEncoder(run)
  const group = { runId: run.runId, events: pending.map((event, i) => encode(event, Math.max(1, run.lastSeq + 1 + i + off))), ending, promote }
  const groups = sent.get(stores[0]!) ?? []
  sent.set(stores[0]!, [...groups, group])
  return (await store.append([group])).map(({ outcome, promotion }) => ({ outcome, events: promotion?.events ?? [], claimed: promotion?.claimed ?? null }))
}

/** At any moment the session's approvals are those that its log has without an outcome. */
function assertPendingIsInTheLog (log: unknown): void {
  if (typeof log !== 'object' || log === null) return
  const { events, session } = log as LogPage
  const pending = new Map<string, Event>()
  for (const event of events.map(parseEvent)) {
    if (event.kind === 'permission_request') pending.set(event.requestId, event)
    if (event.kind === 'permission_resolved' || event.kind === 'permission_cancelled') pending.delete(event.requestId)
  }
  assert.deepEqual(session.pendingPermissions, [...pending.values()])
}

function sorted (list: unknown[]): string[] {
  return list.map((item) => JSON.stringify(item)).sort()
}

function comparable (value: unknown, stores: Store[]): string {
  const json = JSON.stringify(value, null, 1) ?? 'undefined'
  return stores.reduce((text, { instanceId }, i) => text.replaceAll(instanceId, `instance ${i}`), json).replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'T')
}
