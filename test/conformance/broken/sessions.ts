/* Sessions, deletions and instances that break the contract. */
import { waitingMessage } from '../../../lib/store/waiting.ts'
import type { Breakage } from './breakage.ts'

/** One method that asks on behalf of the app itself, for any caller. */
const ownerless = (method: 'getSession' | 'updateSession' | 'deleteSession' | 'getRun' | 'listRuns' | 'read' | 'readEvents' | 'readHistory'): Breakage => (store) => ({
  [method]: (id: string, _owner: unknown, ...rest: unknown[]) => (store[method] as (...args: unknown[]) => unknown)(id, null, ...rest)
})

/** Breakages of sessions, owners, deletion and instances. */
export const BROKEN_SESSIONS: Record<string, Breakage> = {
  ...Object.fromEntries((['getSession', 'updateSession', 'deleteSession', 'getRun', 'listRuns', 'read', 'readEvents', 'readHistory'] as const)
    .map((method) => [`${method} does not look at the owner`, ownerless(method)])),
  'listSessions does not look at the owner': (store) => ({ listSessions: (_owner, options) => store.listSessions(null, options) }),
  'a page of sessions can be asked for behind those of others': (store) => ({
    async listSessions (owner, { rows, before }) {
      const { sessions } = await store.listSessions(null, { rows: Infinity, bytes: Infinity, before })
      const own = sessions.filter((session) => owner === null || session.owner === owner)
      return { sessions: own.slice(0, rows), hasMore: own.length > rows }
    }
  }),
  'listRunningRuns does not look at the owner': (store) => ({ listRunningRuns: () => store.listRunningRuns(null, { limit: 100, after: null }) }),
  'startRun does not look at the owner': (store, database) => ({
    startRun: (run) => store.startRun(database.sessions.has(run.sessionId) ? { ...run, owner: null } : run)
  }),
  'the id of a deleted session is used again': (store, database) => ({
    async createSession (session) {
      if (database.sessions.get(session.id)?.deleted) database.sessions.delete(session.id)
      return store.createSession(session)
    }
  }),
  'a deleted session never was': (store, database) => ({
    getSession: async (id, owner) => database.sessions.get(id)?.deleted ? null : store.getSession(id, owner)
  }),
  'strangers are told that a session was deleted': (store, database) => ({
    getSession: (id, owner) => store.getSession(id, database.sessions.get(id)?.deleted ? null : owner)
  }),
  'a busy session is deleted as if it were idle': (store) => ({ deleteSession: (id, owner) => store.deleteSession(id, owner) }),
  'the runs of a deleted session go on': (store, database) => ({
    async deleteSession (id, owner, options) {
      const session = database.sessions.get(id)
      const runs = session === undefined ? [] : database.runsOf(session)
      const deleted = await store.deleteSession(id, owner, options)
      if (deleted) for (const run of runs) database.runs.set(run.runId, run)
      return deleted
    }
  }),
  'a busy session is idle': (_store, database) => ({
    async listIdleSessions (since, limit) {
      return database.existing().filter(({ updatedAt }) => updatedAt <= since).sort((a, b) => a.updatedAt - b.updatedAt).slice(0, limit).map(({ id }) => id)
    }
  }),
  'a patch does not touch': (store, database) => ({
    async updateSession (id, owner, patch) {
      const before = database.sessions.get(id)?.updatedAt
      const session = await store.updateSession(id, owner, patch)
      if (before !== undefined) database.sessions.get(id)!.updatedAt = before
      return session && { ...session, updatedAt: new Date(before!).toISOString() }
    }
  }),
  'sessions are listed oldest first': (store) => ({
    async listSessions (...args) {
      const { sessions, hasMore } = await store.listSessions(...args)
      return { sessions: sessions.reverse(), hasMore }
    }
  }),
  'a page of sessions does not say that there is more': (store) => ({ listSessions: async (...args) => ({ ...await store.listSessions(...args), hasMore: false }) }),
  'a page of sessions is bounded in rows alone': (store) => ({ listSessions: (owner, page) => store.listSessions(owner, { ...page, bytes: Infinity }) }),
  'runs are listed from the newest whatever they come before': (store) => ({ listRuns: (id, owner, page) => store.listRuns(id, owner, { ...page, before: null }) }),
  'running runs are listed from the oldest whatever they come after': (store) => ({ listRunningRuns: (owner, page) => store.listRunningRuns(owner, { ...page, after: null }) }),
  'running runs are listed without a limit': (store) => ({ listRunningRuns: (owner, page) => store.listRunningRuns(owner, { ...page, limit: Infinity }) }),
  'a deleted session has no events': (store) => ({ lastSeqs: async (ids) => (await store.lastSeqs(ids)).map((seq) => seq ?? 0) }),
  'what was stopped is shown as waiting': (store, database) => ({
    async getSession (...args) {
      const session = await store.getSession(...args)
      return session && { ...session, waiting: database.sessions.get(session.id)!.queue.map(({ runId, message, createdAt }) => waitingMessage(runId, message.fields, createdAt)) }
    }
  }),
  'a message is shown to strangers': (store) => ({ getMessage: (runId) => store.getMessage(runId, null) }),
  'turns are not told as changes of the queue': (store, database) => ({
    async changedSessions (cursor) {
      const changes = await store.changedSessions(cursor)
      return { ...changes, revised: changes.revised?.filter((id) => database.sessions.get(id)?.running?.acceptedCursor === 0) ?? null }
    }
  }),
  'changes are told with events alone': (_store, database) => ({
    async changedSessions (cursor) {
      const heads = Object.fromEntries([...database.sessions.values()].map(({ id, lastSeq }) => [id, lastSeq]))
      const before = cursor === null ? null : JSON.parse(cursor) as Record<string, number>
      const changed = before && Object.keys(heads).filter((id) => heads[id] !== before[id])
      return { cursor: JSON.stringify(heads), sessionIds: changed, revised: changed }
    }
  }),
  'leases are not renewed': () => ({ renewLease: async () => {} }),
  'nobody ever dies': () => ({ listOrphanedRuns: async () => [] }),
  'everybody else is dead': (store, database) => ({
    async listOrphanedRuns () {
      return [...database.runs.values()].filter((run) => run.session.running === run && run.instanceId !== store.instanceId)
        .map(({ runId, session }) => ({ runId, sessionId: session.id }))
    }
  }),
  'own runs are orphans': (store) => ({
    listOrphanedRuns: async () => [...await store.listOrphanedRuns(), ...await store.listOwnRuns()]
  }),
  'no claim is told again': () => ({ getClaim: async () => null }),
  'the message of a claim is all that is known of it': (store) => ({
    async getClaim (runId) {
      const claim = await store.getClaim(runId)
      return claim && { ...claim, providerSessionId: null }
    }
  }),
  'own runs are everybody\'s': (store) => ({
    listOwnRuns: async () => (await store.listRunningRuns(null, { limit: 100, after: null })).map(({ runId, sessionId }) => ({ runId, sessionId }))
  }),
  'nobody hears of anything': () => ({ watch: () => () => {} }),
  'who rejects is not called again': (store) => ({ watch: (listener) => store.watch(() => listener().catch(() => {})) }),
  'listeners are called twice at a time': (store) => ({ watch: (listener) => store.watch(async () => { listener().catch(() => {}) }) }),
  'who has stopped still hears': (store) => ({
    watch (listener) {
      store.watch(listener)
      return () => {}
    }
  }),
  'the first native id holds': (store, database) => ({
    async setProviderSessionId (id, provider, providerSessionId) {
      if (database.sessions.get(id)?.providerSessionIds.some((known) => known.provider === provider)) return
      await store.setProviderSessionId(id, provider, providerSessionId)
    }
  }),
  'only the newest native id is known': (store, database) => ({
    async setProviderSessionId (id, ...rest) {
      const session = database.sessions.get(id)
      if (session !== undefined) session.providerSessionIds = []
      await store.setProviderSessionId(id, ...rest)
    }
  })
}
