/* What the property test asks of two stores, and their answers in words that can be compared. */
import fc from 'fast-check'
import { delta, custom, newRun, status, text } from '../../conformance/store/driven-run.ts'
import { eventEncoder, type PendingEvent, pendingEvent } from '../../lib/event.ts'
import { ABORTED, completeFields, FINISHED, INTERRUPTED } from '../../lib/run-ending.ts'
import type { AppendGroup, NewRun, Store } from '../../lib/store.ts'
import type { Owner } from '../../lib/types.ts'

const SESSIONS = ['a', 'b']
const ALL = { rows: 1_000, bytes: 10_000_000 }
const FAR = 8_000_000_000_000

const by = fc.constantFrom(0, 0, 0, 1)
const sessionId = fc.constantFrom('a', 'a', 'b')
const owner = fc.constantFrom<Owner>('ada', 'ada', 'ada', null, 'bob')
/** A run by when it was asked for: the newest is 0. */
const back = fc.constantFrom(0, 0, 1, 1, 2, 3, 5, 8)
const ending = fc.constantFrom(FINISHED, ABORTED, INTERRUPTED)
const event = fc.constantFrom<PendingEvent>(
  delta('m', 'a'), delta('m', 'b'), delta('n', 'c'), delta('n', 'a longer piece of text'), pendingEvent('text', { role: 'assistant', messageId: 'm', content: 'ab' }),
  pendingEvent('thinking_delta', { messageId: 'm', content: 'h' }), pendingEvent('stream_end', { messageId: 'm' }), text('whole'), status('busy'), custom({ n: 1 })
)
const idempotency = fc.option(fc.record({ key: fc.constantFrom('k', 'l'), hash: fc.constantFrom('h', 'h', 'i') }), { freq: 2 })

const arbitraries = {
  start: fc.record({
    by,
    more: fc.record<Partial<NewRun>>({
      sessionId,
      owner,
      provider: fc.constantFrom('p', 'q'),
      createSession: fc.constantFrom(true, true, false),
      onBusy: fc.constantFrom('reject', 'queue', 'queue', 'interrupt'),
      admit: fc.constantFrom('run', 'run', 'run', 'queue', 'nothing'),
      maxQueued: fc.constantFrom(0, 1, 2, 5, 5),
      idempotency
    })
  }),
  claim: fc.record({ by }),
  cancel: fc.record({ by, back }),
  append: fc.record({ by, back, events: fc.array(event, { minLength: 1, maxLength: 4 }), off: fc.constantFrom(0, 0, 0, 0, 0, 0, -1, 1) }),
  end: fc.record({ by, back, ending, promote: fc.boolean(), events: fc.array(event, { maxLength: 2 }) }),
  again: fc.record({ by, back: fc.constantFrom(0, 0, 0, 1) }),
  close: fc.record({ by, back, ending, promote: fc.boolean() }),
  compact: fc.record({ by, back, keep: fc.constantFrom(0, 1, 3) }),
  create: fc.record({ by, sessionId, owner: fc.constantFrom('ada', 'bob') }),
  update: fc.record({ by, sessionId, owner, patch: fc.constantFrom({ title: 't' }, { title: null }, { metadata: { m: [1] } }, {}) }),
  delete: fc.record({ by, sessionId, owner, options: fc.constantFrom({}, { idleSince: FAR }, { idleSince: 1 }) }),
  native: fc.record({ by, sessionId, provider: fc.constantFrom('p', 'q'), id: fc.constantFrom('n1', 'n2') }),
  page: fc.record({ by, sessionId, owner, after: fc.nat(12), rows: fc.constantFrom(1, 3), before: fc.option(fc.nat(12)) })
}

export type Command = { [K in keyof typeof arbitraries]: { ask: K } & (typeof arbitraries)[K] extends fc.Arbitrary<infer V> ? { ask: K } & V : never }[keyof typeof arbitraries]

const WEIGHTS: Record<keyof typeof arbitraries, number> = {
  start: 10, claim: 3, cancel: 3, append: 8, end: 5, again: 3, close: 3, compact: 3, create: 1, update: 1, delete: 1, native: 1, page: 2
}

/** One thing to ask. */
export const commandArbitrary = fc.oneof(...Object.entries(arbitraries).map(([ask, arbitrary]) => ({
  weight: WEIGHTS[ask as keyof typeof arbitraries],
  arbitrary: (arbitrary as fc.Arbitrary<object>).map((values) => ({ ask, ...values }) as Command)
})))

/** The groups that were sent to stores, the newest last. */
const sent = new WeakMap<Store, AppendGroup[]>()

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
  const seen = await Promise.all(SESSIONS.map(async (id) => [
    await words(() => other.getSession(id, null)),
    await words(() => other.read(id, null, 0, ALL)),
    await words(() => other.listRuns(id, null, { limit: 100 })),
    await words(() => other.readHistory(id, null, { before: null, limit: 100 }))
  ]))
  const lists = [
    await other.lastSeqs(SESSIONS), await other.listSessions('ada', { limit: 10, before: null }),
    ...(await Promise.all([other.listRunningRuns(null), other.listOwnRuns(), other.listIdleSessions(FAR, 10), other.listCompactableRuns(FAR, 100)])).map(sorted)
  ]
  return comparable([answer, seen, lists], stores)
}

async function ask (stores: Store[], command: Command, index: number): Promise<unknown> {
  const store = stores[command.by]!
  switch (command.ask) {
    case 'start': return store.startRun(newRun(`r${index}`, { ...command.more, options: { index } }))
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
    default: {
      const run = await runBack(store, command.back)
      if (run === null) return null
      switch (command.ask) {
        case 'cancel': return store.cancelQueuedRun(run.runId)
        case 'close': return store.closeRun(run.runId, command.ending, { promote: command.promote })
        case 'compact': return store.compactRun(run.runId, run.completed ? command.keep : Math.max(1, command.keep))
        case 'append': return send(stores, store, run, command.events, command.off)
        case 'end': return send(stores, store, run, [...command.events, pendingEvent('complete', completeFields(run.sessionId, command.ending))], 0, command)
      }
    }
  }
}

interface RunAt { runId: string, sessionId: string, provider: string, lastSeq: number, completed: boolean }

/** A run, those of both sessions taken together, the newest first. */
async function runBack (store: Store, back: number): Promise<RunAt | null> {
  const all: RunAt[] = []
  for (const sessionId of SESSIONS) {
    const runs = await store.listRuns(sessionId, null, { limit: 100 })
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

function sorted (list: unknown[]): string[] {
  return list.map((item) => JSON.stringify(item)).sort()
}

function comparable (value: unknown, stores: Store[]): string {
  const json = JSON.stringify(value, null, 1) ?? 'undefined'
  return stores.reduce((text, { instanceId }, i) => text.replaceAll(instanceId, `instance ${i}`), json).replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'T')
}
