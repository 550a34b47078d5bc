/* The simulator finds what it is there to find: stores that break a promise now and then. */
import { test } from 'tap'
import type { AppendAnswer, LogPage, Store } from '../../lib/store.ts'
import { simulate } from '../../simulator/schedule.ts'

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

const broken: Record<string, { sabotage: (store: Store) => Store, rule: RegExp }> = {
  'a page lacks an event': {
    sabotage: but('read', (store) => async (...args) => withoutLast(await store.read(...args))), rule: /C1/
  },
  'what is taken is not stored': {
    sabotage: but('append', () => async (groups) => groups.map((): AppendAnswer => ({ outcome: 'ok', promotion: null }))), rule: /C2|C8/
  },
  'the end of a run does not tell whose turn it is': {
    sabotage: but('append', (store) => async (groups) => (await store.append(groups)).map(({ outcome }) => ({ outcome, promotion: null }))), rule: /C5|C8/
  },
  'the dead are not noticed': {
    sabotage: but('listOrphanedRuns', () => async () => []), rule: /C8/
  },
  'deletions are not told': {
    sabotage: but('lastSeqs', (store) => async (ids) => (await store.lastSeqs(ids)).map((seq) => seq ?? 0)), rule: /C8/
  }
}

for (const [what, { sabotage, rule }] of Object.entries(broken)) {
  test(`a schedule fails when ${what}`, async (t) => {
    for (let seed = 1; seed <= MOST_SCHEDULES; seed++) {
      const { violations: [first] } = await simulate(seed, { sabotage })
      if (first === undefined) continue
      t.match(first.rule, rule, `seed ${seed}: ${first.rule} ${first.what}`)
      return
    }
    t.fail(`${MOST_SCHEDULES} schedules found nothing`)
  })
}
