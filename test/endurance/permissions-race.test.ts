import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { test, type Test } from 'tap'
import { wireCode } from '../../lib/protocol/errors.ts'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { Event, Provider, RunRegistry, Store } from '../../index.ts'
import { logOf, story, TOOL, untilAsked, untilEvent } from '../helpers/approvals.ts'
import { openRegistry } from '../helpers/open-registry.ts'
import { random, type Random } from '../helpers/random.ts'
import { tempDir } from '../helpers/temp-dir.ts'

/** In one process, and with the answer at another instance than the run. */
const ROUNDS = Number(process.env['RACE_ROUNDS'] ?? 1_000)
const ROUNDS_APART = Number(process.env['RACE_ROUNDS_APART'] ?? 60)
const SEED = Number(process.env['RACE_SEED'] ?? 1)

/** What one agent was told, in order, and in whose log that was by then. */
interface Heard { said: string[], problems: string[] }

/** Asks once, then waits to be stopped; writes down what it hears and when. */
function listener (heard: Map<string, Heard>, committed: (sessionId: string) => Promise<Event[]>): Provider {
  return {
    async * run ({ session, requestPermission, signal }) {
      const mine: Heard = { said: [], problems: [] }
      heard.set(session.id, mine)
      const stopped = new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => {
          mine.said.push('abort')
          resolve()
        })
      })
      await requestPermission(TOOL).then(async ({ allow }) => {
        mine.said.push(`allow ${allow}`)
        const lines = story(await committed(session.id))
        if (!lines.includes(`resolved 1 ${allow}`)) mine.problems.push(`was told ${allow} by ${lines.join()}`)
      }, (error: Error) => { mine.said.push(error.name) })
      await stopped
    }
  }
}

/** Nothing, some microtasks or some turns: the other goes on meanwhile. */
async function hesitate ({ below, pick }: Random): Promise<void> {
  const turns = pick([0, 0, 1, 2, 3, 5])
  for (let left = turns; left > 0; left--) await nextTurn()
  for (let left = below(turns === 0 ? 60 : 25); left > 0; left--) await null
}

/** Goes on once the answer is where it may be met: nowhere yet, decided, or in the log. */
async function meet (driving: RunRegistry, store: Store, sessionId: string, requestId: string, { pick }: Random): Promise<void> {
  const where = pick(['nowhere', 'decided', 'in the log'])
  if (where === 'nowhere') return
  if (where === 'in the log') await untilEvent(driving, 'permission_resolved', { sessionId })
  while ((await store.getPermission(sessionId, null, requestId))!.status === 'pending') await nextTurn()
}

/** The two at once; what is wrong with what came of it. `store`: the abort waits for the answer, which takes its time at another instance. */
async function race (driving: RunRegistry, answering: RunRegistry, store: Store | null, sessionId: string, heard: Map<string, Heard>, chance: Random): Promise<{ outcome: string, problems: string[] }> {
  await driving.startRun({ sessionId, content: 'go' })
  const [requestId] = await untilAsked(driving, 1, sessionId)
  const allow = chance.chance(0.5)
  const answer = async (): Promise<string> => {
    await hesitate(chance)
    return answering.answerPermission({ sessionId, requestId: requestId!, allow }).then((event) => event.kind, wireCode)
  }
  const abort = async (): Promise<string> => {
    if (store !== null) await meet(driving, store, sessionId, requestId!, chance)
    await hesitate(chance)
    return (await driving.abortRun({ sessionId }))!.reason
  }
  const order = chance.chance(0.5)
  const both = order ? [answer(), abort()] : [abort(), answer()]
  const [told, ended] = order ? await Promise.all(both) : (await Promise.all(both)).reverse()
  await nextTurn()

  const lines = story(await logOf(driving, sessionId))
  const { said, problems } = heard.get(sessionId)!
  const isResolved = lines[2] === `resolved 1 ${allow}`
  const expected = ['user go', 'asks 1', isResolved ? `resolved 1 ${allow}` : 'cancelled 1 aborted', 'complete aborted']
  if (lines.join() !== expected.join()) problems.push(`the log says ${lines.join()}`)
  if (told !== (isResolved ? 'permission_resolved' : 'PERMISSION_ALREADY_RESOLVED')) problems.push(`the answerer was told ${told}, the log says ${lines.join()}`)
  if (ended !== 'aborted') problems.push(`the run was ${ended}`)
  // Stopped once, and told before that or not at all.
  const known = [[`allow ${allow}`, 'abort'].join(), ['abort', 'AbortError'].join()]
  if (!known.includes(said.join()) || (!isResolved && said[0] !== 'abort')) problems.push(`the agent heard ${said.join()}, the log says ${lines.join()}`)
  if ((await driving.getSession(sessionId))!.pendingPermissions.length > 0) problems.push('an approval still waits')
  return { outcome: `${isResolved ? 'resolved' : 'cancelled'}, heard ${said[0]!}`, problems: problems.map((problem) => `${sessionId}: ${problem}`) }
}

/** Some races at a time, each in a session of its own. */
async function races (t: Test, rounds: number, driving: RunRegistry, answering: RunRegistry, store: Store | null, heard: Map<string, Heard>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  const problems: string[] = []
  for (let round = 0; round < rounds;) {
    const together = Array.from({ length: Math.min(1 + round % 12, rounds - round) }, () => `s${SEED}-${round++}`)
    const outcomes = await Promise.all(together.map((sessionId, index) => race(driving, answering, store, sessionId, heard, random(SEED * 100_000 + round * 100 + index))))
    for (const { outcome, problems: found } of outcomes) {
      counts[outcome] = (counts[outcome] ?? 0) + 1
      problems.push(...found)
    }
  }
  t.comment(JSON.stringify(counts))
  t.strictSame(problems.slice(0, 5), [])
  return counts
}

test(`an abort races an answer ${ROUNDS} times: the log has one outcome, and all are told that one`, async (t) => {
  const heard = new Map<string, Heard>()
  const registry: RunRegistry = await openRegistry(t, listener(heard, (sessionId) => logOf(registry, sessionId)), sqliteStore({ path: ':memory:' }))
  const counts = await races(t, ROUNDS, registry, registry, null, heard)
  if (ROUNDS >= 1_000) t.strictSame(Object.keys(counts).sort(), ['cancelled, heard abort', 'resolved, heard abort', 'resolved, heard allow false', 'resolved, heard allow true'], 'every way in which it may end came up')
})

test(`the same ${ROUNDS_APART} times, with the answer at another instance`, async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const heard = new Map<string, Heard>()
  const store = sqliteStore({ path })
  const driving: RunRegistry = await openRegistry(t, listener(heard, (sessionId) => logOf(driving, sessionId)), store)
  const answering = await openRegistry(t, { async * run () {} }, sqliteStore({ path }))
  const counts = await races(t, ROUNDS_APART, driving, answering, store, heard)
  if (ROUNDS_APART >= 60) t.ok(Object.keys(counts).length > 2, 'in more ways than one')
})

test('however few microtasks or turns an abort comes behind the commit of an answer, no agent is told that it may go on once it was stopped', async (t) => {
  const store = sqliteStore({ path: ':memory:' })
  const heard = new Map<string, Heard>()
  const registry: RunRegistry = await openRegistry(t, listener(heard, (sessionId) => logOf(registry, sessionId)), store)
  const append = store.append.bind(store)
  let abort: () => Promise<void> = async () => {}
  store.append = async (groups) => {
    if (groups.some(({ events }) => events.some(({ kind }) => kind === 'permission_resolved'))) void abort()
    return append(groups)
  }
  const outcomes = new Set<string>()
  for (const turns of [0, 1, 2]) {
    for (let microtasks = 0; microtasks < 30; microtasks++) {
      const sessionId = `s-${turns}-${microtasks}`
      await registry.startRun({ sessionId, content: 'go' })
      const [requestId] = await untilAsked(registry, 1, sessionId)
      const aborted = new Promise((resolve) => {
        abort = async () => {
          for (let left = turns; left > 0; left--) await nextTurn()
          for (let left = microtasks; left > 0; left--) await null
          resolve(await registry.abortRun({ sessionId }))
        }
      })
      t.match(await registry.answerPermission({ sessionId, requestId: requestId!, allow: true }), { kind: 'permission_resolved' })
      t.match(await aborted, { reason: 'aborted' })
      await nextTurn()
      const { said, problems } = heard.get(sessionId)!
      t.strictSame(problems, [])
      outcomes.add(said.join())
    }
  }
  t.strictSame([...outcomes].sort(), ['abort,AbortError', 'allow true,abort'])
})
