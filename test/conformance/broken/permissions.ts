/* Approvals that break the contract: how they are asked for, told, answered and handed out. */
import type { MemoryDatabase, MemoryPermission } from '../../../db/memory/database.ts'
import { followLog } from '../../../db/memory/permissions.ts'
import type { SessionState } from '../../../lib/protocol/session.ts'
import type { PermissionState, Store } from '../../../lib/store/store.ts'
import { type Breakage, turn } from './breakage.ts'

/** What tells of sessions tells this of them instead. */
const telling = (change: (session: SessionState, database: MemoryDatabase) => SessionState, ...methods: Array<'getSession' | 'updateSession' | 'listSessions' | 'read' | 'readHistory'>): Breakage => (store, database) => {
  const told: Partial<Store> = {
    getSession: async (...args) => changed(await store.getSession(...args)),
    updateSession: async (...args) => changed(await store.updateSession(...args)),
    async listSessions (...args) {
      const { sessions, hasMore } = await store.listSessions(...args)
      return { sessions: sessions.map((session) => change(session, database)), hasMore }
    },
    read: async (...args) => within(await store.read(...args)),
    readHistory: async (...args) => within(await store.readHistory(...args))
  }
  const changed = (session: SessionState | null): SessionState | null => session && change(session, database)
  const within = <P extends { session: SessionState }>(page: P | null): P | null => page && { ...page, session: change(page.session, database) }
  return Object.fromEntries((methods.length === 0 ? Object.keys(told) : methods).map((method) => [method, told[method as keyof Store]]))
}

const none = (session: SessionState): SessionState => ({ ...session, pendingPermissions: [] })

/** How an approval stands, told otherwise. */
const standing = (change: (state: PermissionState) => PermissionState): Breakage => (store) => ({
  async getPermission (...args) {
    const state = await store.getPermission(...args)
    return state && change(state)
  }
})

/** An approval that may be changed, before it is answered. */
const beforeAnswers = (change: (permission: MemoryPermission) => void): Breakage => (store, database) => ({
  async answerPermission (id, owner, requestId, decision) {
    const permission = database.permissions.get(requestId)
    if (permission !== undefined) change(permission)
    return store.answerPermission(id, owner, requestId, decision)
  }
})

/** The decisions that are handed out: of any approval there is. */
const handingOut = (isMeant: (permission: MemoryPermission, instanceId: string) => boolean): Breakage => ({ instanceId }, database) => ({
  async listAnswers () {
    return [...database.permissions.values()].filter((permission) => permission.decision !== null && isMeant(permission, instanceId))
      .map(({ run, requestId, decision }) => ({ runId: run.runId, requestId, decision: JSON.parse(decision!) as { allow: boolean } }))
  }
})

const isOpen = ({ outcome }: MemoryPermission): boolean => outcome === null
const runs = ({ run }: MemoryPermission): boolean => run.session.running === run
const isOwn = ({ run }: MemoryPermission, instanceId: string): boolean => run.instanceId === instanceId

/** Breakages of approvals, but for how they end. */
export const BROKEN_PERMISSIONS: Record<string, Breakage> = {
  'answered approvals are not told with the session': telling((session, { permissions }) => ({
    ...session, pendingPermissions: session.pendingPermissions.filter(({ requestId }) => permissions.get(requestId)?.decision === null)
  })),
  'approvals are told newest first': telling((session) => ({ ...session, pendingPermissions: [...session.pendingPermissions].reverse() })),
  'approvals are told by their ids': telling((session) => ({
    ...session, pendingPermissions: [...session.pendingPermissions].sort((a, b) => a.requestId < b.requestId ? -1 : 1)
  })),
  'settled approvals are told': telling((session, { permissions }) => ({
    ...session,
    pendingPermissions: [...permissions.values()].filter(({ run }) => run.session.id === session.id).map(({ request }) => JSON.parse(request.json) as SessionState['pendingPermissions'][number])
  })),
  ...Object.fromEntries((['getSession', 'updateSession', 'listSessions', 'read', 'readHistory'] as const)
    .map((method) => [`${method} tells of no approvals`, telling(none, method)])),
  'a page and its approvals are of two moments': (store) => ({
    async read (id, owner, ...rest) {
      const page = await store.read(id, owner, ...rest)
      await turn()
      return page && { ...page, session: { ...page.session, pendingPermissions: (await store.getSession(id, owner))!.pendingPermissions } }
    }
  }),
  'what was not stored asks and settles all the same': (store, database) => ({
    async append (groups) {
      const answers = await store.append(groups)
      for (const [index, { runId, events }] of groups.entries()) {
        const run = database.runs.get(runId)
        if (answers[index]!.outcome !== 'ok' && run !== undefined) for (const event of events) followLog(database, run, event)
      }
      return answers
    }
  }),
  'what is sent again asks again': (store, database) => ({
    async append (groups) {
      const answers = await store.append(groups)
      for (const { requestId } of groups.flatMap(({ events }) => events).filter(({ kind }) => kind === 'permission_request').map(({ json }) => JSON.parse(json) as { requestId: string })) {
        const permission = database.permissions.get(requestId)
        if (permission !== undefined && runs(permission)) Object.assign(permission, { decision: null, outcome: null })
      }
      return answers
    }
  }),

  'every answer is said to hold': (store) => ({
    answerPermission: async (...args) => await store.answerPermission(...args) === null ? null : true
  }),
  'the last answer holds': beforeAnswers((permission) => { permission.decision = null }),
  'what is settled is answered': beforeAnswers((permission) => { permission.outcome = null }),
  'an answer is not one step with the look': (store, database) => ({
    async answerPermission (id, owner, requestId, decision) {
      const state = await store.getPermission(id, owner, requestId)
      await turn()
      if (state?.status === 'pending') database.permissions.get(requestId)!.decision = null
      return store.answerPermission(id, owner, requestId, decision)
    }
  }),
  'an answer is in the log': (store, database) => ({
    async answerPermission (id, owner, requestId, decision) {
      const held = await store.answerPermission(id, owner, requestId, decision)
      const { session, runId } = database.permissions.get(requestId)?.run ?? {}
      if (held === true && session?.running != null) session.events.push({ seq: ++session.lastSeq, kind: 'custom', runId: runId!, transient: false, json: '{"kind":"custom","name":"answer"}' })
      return held
    }
  }),
  'nobody hears of answers': (store, database) => ({
    answerPermission (...args) {
      const { committed } = database
      database.committed = () => {}
      const answered = store.answerPermission(...args)
      database.committed = committed
      return answered
    }
  }),
  'answerPermission does not look at the owner': (store) => ({ answerPermission: (id, _owner, ...rest) => store.answerPermission(id, null, ...rest) }),
  'getPermission does not look at the owner': (store) => ({ getPermission: (id, _owner, requestId) => store.getPermission(id, null, requestId) }),
  'answerPermission does not look at the session': (store, database) => ({
    answerPermission: (id, owner, requestId, decision) => store.answerPermission(database.permissions.get(requestId)?.run.session.id ?? id, owner, requestId, decision)
  }),
  'getPermission does not look at the session': (store, database) => ({
    getPermission: (id, owner, requestId) => store.getPermission(database.permissions.get(requestId)?.run.session.id ?? id, owner, requestId)
  }),
  'an approval that is not there is said to be settled': (store) => ({
    answerPermission: async (...args) => await store.answerPermission(...args) ?? false
  }),
  'the approvals of a deleted session never were': (store, database) => ({
    answerPermission: async (id, ...rest) => database.sessions.get(id)?.deleted ? null : store.answerPermission(id, ...rest),
    getPermission: async (id, ...rest) => database.sessions.get(id)?.deleted ? null : store.getPermission(id, ...rest)
  }),

  'an approval is pending until it is settled': standing((state) => ({ ...state, status: state.status === 'answered' ? 'pending' : state.status })),
  'what was taken back is resolved': standing((state) => ({ ...state, status: state.status === 'cancelled' ? 'resolved' : state.status })),
  'an outcome is not told': standing((state) => ({ ...state, outcome: null })),

  'everybody is told of all decisions': handingOut((permission) => isOpen(permission) && runs(permission)),
  'decisions are told when they are taken': handingOut((permission, instanceId) => runs(permission) && isOwn(permission, instanceId)),
  'the decisions for runs that are over are told': handingOut((permission, instanceId) => isOpen(permission) && isOwn(permission, instanceId)),
  'decisions are told last asked first': (store) => ({ listAnswers: async () => (await store.listAnswers(100)).reverse() }),
  'decisions are told session by session': (store) => ({
    listAnswers: async () => (await store.listAnswers(100)).sort((a, b) => a.runId < b.runId ? -1 : 1)
  }),
  'of a decision only yes or no is kept': (store) => ({
    listAnswers: async () => (await store.listAnswers(100)).map(({ decision: { allow }, ...answer }) => ({ ...answer, decision: { allow } }))
  })
}
