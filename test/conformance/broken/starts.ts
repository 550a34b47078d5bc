/* Starts and queues that break the contract. */
import type { MemoryDatabase } from '../../../db/memory/database.ts'
import type { NewRun, Promotion } from '../../../lib/store/store.ts'
import { type Breakage, turn } from './breakage.ts'

/** A start whose request was changed. */
const asking = (change: (run: NewRun) => Partial<NewRun>): Breakage => (store) => ({
  startRun: (run) => store.startRun({ ...run, ...change(run) })
})

/** The promotion that each of the methods that move a queue answers, changed. */
const promoting = (change: (promotion: Promotion, database: MemoryDatabase) => Promotion | null): Breakage => (store, database) => ({
  async append (groups) {
    return (await store.append(groups)).map(({ outcome, promotion }) => ({ outcome, promotion: promotion && change(promotion, database) }))
  }
})

/** Breakages of starts, queues and idempotency. */
export const BROKEN_STARTS: Record<string, Breakage> = {
  'a session may have two running runs': (store, database) => ({
    async startRun (run) {
      const session = database.sessions.get(run.sessionId)
      if (session !== undefined && !session.deleted && run.onBusy === 'reject') session.running = null
      return store.startRun(run)
    }
  }),
  'the claim is not one step with the look': (store, database) => ({
    async startRun (run) {
      const free = (database.sessions.get(run.sessionId)?.running ?? null) === null
      await turn()
      const session = database.sessions.get(run.sessionId)
      if (free && session !== undefined && !session.deleted) session.running = null
      return store.startRun(run)
    }
  }),
  'idempotency keys are not looked at': asking(() => ({ names: [] })),
  'hashes are not compared': asking(({ names }) => ({ names: names.map((name) => ({ ...name, hash: '' })) })),
  'keys are those of all sessions': (store, database) => ({
    async startRun (run) {
      const earlier = [...database.runs.values()].find(({ names }) => names.some(({ name }) => name === run.names[0]?.name))
      return store.startRun(earlier === undefined ? run : { ...run, sessionId: earlier.session.id })
    }
  }),
  'a repeat is answered with the cursor of today': (store, database) => ({
    async startRun (run) {
      const start = await store.startRun(run)
      return start.outcome === 'accepted' ? { ...start, cursor: database.runs.get(start.run.runId)?.cursor ?? start.cursor } : start
    }
  }),
  'a repeat of what may not become anything is refused': (store) => ({
    startRun: async (run) => run.admit === 'nothing' ? { outcome: 'refused' } : store.startRun(run)
  }),
  'stops are forgotten': () => ({ stopMessage: async () => null }),
  'a stop is everybody\'s': (store) => ({ stopMessage: (id, _owner, name) => store.stopMessage(id, null, name) }),
  'stops have no end': (store, database) => ({
    async stopMessage (...args) {
      const stops = [...database.stops]
      database.stops.clear()
      const run = await store.stopMessage(...args)
      for (const [key, at] of stops) database.stops.set(key, at)
      return run
    }
  }),
  'the queue has no end': asking(() => ({ maxQueued: Infinity })),
  'admission is not looked at': asking(() => ({ admit: 'run' })),
  'an interruption waits like others': asking(({ onBusy }) => ({ onBusy: onBusy === 'interrupt' ? 'queue' : onBusy })),
  'a refused message waits': asking(({ onBusy }) => ({ onBusy: onBusy === 'reject' ? 'queue' : onBusy })),
  'sessions are created unasked': asking(() => ({ createSession: true })),
  'a refused message creates the session': (store) => ({
    async startRun (run) {
      if (run.createSession) await store.createSession({ id: run.sessionId, owner: run.owner ?? '', provider: null, title: null, metadata: {} })
      return store.startRun(run)
    }
  }),
  'what waits last is next': (store, database) => ({
    async startRun (run) {
      const start = await store.startRun(run)
      const queue = database.sessions.get(run.sessionId)?.queue
      if (run.onBusy === 'queue' && queue?.at(-1)?.runId === run.runId) queue.unshift(queue.pop()!)
      return start
    }
  }),
  'a cancelled run is dropped': (store, database) => ({
    async cancelQueuedRun (runId) {
      const queue = database.runs.get(runId)?.session.queue ?? []
      const waits = await store.cancelQueuedRun(runId)
      if (waits) queue.splice(queue.findIndex((run) => run.runId === runId), 1)
      return waits
    }
  }),
  'a cancelled run runs': () => ({ cancelQueuedRun: async () => true }),
  'the next run is not promoted': (store) => ({
    append: (groups) => store.append(groups.map((group) => ({ ...group, promote: false })))
  }),
  'an end from outside does not promote': (store) => ({
    closeRun: (runId, ending) => store.closeRun(runId, ending, { promote: false })
  }),
  'every end promotes': (store) => ({
    append: (groups) => store.append(groups.map((group) => ({ ...group, promote: true })))
  }),
  'a promotion does not tell its events': promoting((promotion) => ({ ...promotion, events: [] })),
  'a claim is not one step with the look': (store, database) => ({
    async claimQueuedRun () {
      const head = database.existing().map(({ running, queue }) => running === null ? queue[0] : undefined).find((run) => run !== undefined)
      await turn()
      if (head !== undefined && head.session.running === head) {
        head.session.running = null
        head.session.queue.unshift(head)
      }
      return store.claimQueuedRun()
    }
  }),
  'the run that waits shortest is claimed': (store, database) => ({
    async claimQueuedRun () {
      const runs = [...database.runs.entries()].reverse()
      database.runs.clear()
      for (const [id, run] of runs) database.runs.set(id, run)
      const promotion = await store.claimQueuedRun()
      database.runs.clear()
      for (const [id, run] of runs.reverse()) database.runs.set(id, run)
      return promotion
    }
  }),
  'a message that waited has the time of its acceptance': (store, database) => ({
    async append (groups) {
      const answers = await store.append(groups)
      for (const { promotion } of answers) {
        for (const event of promotion?.events ?? []) {
          const run = database.runs.get(event.runId)!
          event.json = event.json.replace(/"timestamp":"[^"]*"/, `"timestamp":"${run.message.timestamp}"`)
          if (promotion?.claimed != null) promotion.claimed.message.json = event.json
        }
      }
      return answers
    }
  })
}
