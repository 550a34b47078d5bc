/* The simulator finds what it is there to find: stores that break a promise now and then. */
import { test } from 'tap'
import type { AppendAnswer, LogPage, Store } from '../../lib/store/store.ts'
import { simulate } from './schedule.ts'

const MOST_SCHEDULES = 200

/** A store of which one method is another. */
function but<M extends keyof Store> (method: M, replaced: (store: Store) => Store[M]): (store: Store) => Store {
  return (store) => new Proxy(store, {
    get: (_, name) => {
      const value: unknown = name === method ? replaced(store) : Reflect.get(store, name)
      return typeof value === 'function' ? (value as () => unknown).bind(store) : value
    }
  })
}

const withoutLast = (page: LogPage | null): LogPage | null => page && { ...page, events: page.events.length > 2 ? page.events.slice(0, -2).concat(page.events.slice(-1)) : page.events }

const withoutApprovals = (page: LogPage | null): LogPage | null => page && { ...page, session: { ...page.session, pendingPermissions: [] } }

/** `from`: where to begin, if it takes long to find. */
const broken: Record<string, { sabotage: (store: Store) => Store, rule: RegExp, from?: number }> = {
  'a page lacks an event': {
    sabotage: but('read', (store) => async (...args) => withoutLast(await store.read(...args))), rule: /C1/
  },
  'what is taken is not stored': {
    sabotage: but('append', () => async (groups) => groups.map((): AppendAnswer => ({ outcome: 'ok', promotion: null }))), rule: /C2|C4|C8/
  },
  'the dead are not noticed': {
    sabotage: but('listOrphanedRuns', () => async () => []), rule: /C8/
  },
  'every answer to an approval holds': {
    sabotage: but('answerPermission', (store) => async (...args) => await store.answerPermission(...args) === null ? null : true), rule: /C11/
  },
  'answers that others have taken are not told': {
    sabotage: but('listAnswers', () => async () => []), rule: /C8|C11/, from: 200
  },
  'nobody is told what waits': {
    sabotage: but('read', (store) => async (...args) => withoutApprovals(await store.read(...args))), rule: /C8|C11/
  },
  'no session is named as changed': {
    sabotage: but('changedSessions', (store) => async (cursor) => ({ cursor: (await store.changedSessions(cursor)).cursor, sessionIds: [], revised: [] })), rule: /C\d/
  },
  'what waits is not told anew': {
    sabotage: but('getSession', (store) => async (...args) => {
      const session = await store.getSession(...args)
      return session && { ...session, waiting: [{ runId: 'stale', messageId: 'm', preview: '', createdAt: '' }] }
    }),
    rule: /C8/
  },
  'deletions are not told': {
    sabotage: but('lastSeqs', (store) => async (ids) => (await store.lastSeqs(ids)).map((seq) => seq ?? 0)), rule: /C8/, from: 160
  }
}

for (const [what, { sabotage, rule, from = 1 }] of Object.entries(broken)) {
  test(`a schedule fails when ${what}`, async (t) => {
    for (let seed = from; seed < from + MOST_SCHEDULES; seed++) {
      const { violations: [first] } = await simulate(seed, { sabotage })
      if (first === undefined) continue
      t.match(first.rule, rule, `seed ${seed}: ${first.rule} ${first.what}`)
      return
    }
    t.fail(`${MOST_SCHEDULES} schedules found nothing`)
  })
}
