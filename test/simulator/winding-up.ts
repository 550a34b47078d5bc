/* The end of a schedule: all goes well again, so everything that was begun must come to its end. */
import { PROBE } from './agent.ts'
import type { Answers } from './answers.ts'
import { Follower } from './follower.ts'
import type { Posts } from './posts.ts'
import type { Server } from './server.ts'
import type { World } from './world.ts'

/** How long it may take until every run has ended: longer than any lease, retry or sweep. */
const PATIENCE_MS = 60_000
/** How long it may take until a connected client knows of whatever is committed, or that its session is deleted. */
const TELLING_MS = 20_000
/** Whatever was begun before a shutdown is over so long after it. */
const AFTERMATH_MS = 65_000

export async function windUp (servers: Server[], followers: Follower[], posts: Posts, answers: Answers, world: World): Promise<void> {
  const { loop, weather, journal, ledger, setting } = world
  journal.note('all is well again')
  weather.clear()
  world.winding = true
  for (const server of servers) await server.start()
  // What takes long goes on doing so, and may cost a server its lease.
  await loop.sleep(setting.slowMs + 2 * setting.leaseMs)
  await settle(world, answers)
  await told(followers, world)
  for (const server of servers) await probe(server, posts, answers, world)
  await settle(world, answers)
  posts.verify()
  answers.verify()
  // Compactions have their turn before the last ones read.
  if (setting.retention.completedRunMs < PATIENCE_MS) await loop.sleep(2 * setting.retention.completedRunMs + 1_000)
  const late = [...ledger.sessions.keys()].map((sessionId) => new Follower(`late reader of ${sessionId}`, sessionId, servers, world))
  await Promise.all([...followers, ...late].map((follower) => follower.catchUp()))
  judgeLogs(world)

  const corpses = servers.flatMap((server) => server.corpses)
  await Promise.all([...servers.map((server) => server.shutDown()), ...corpses.map((corpse) => corpse.close())])
  for (const follower of [...followers, ...late]) follower.assertClosed()
  await loop.sleep(AFTERMATH_MS)
  if (loop.timers.length > 0) journal.violation('C9', `${loop.timers.length} timers are left: ${loop.timers.map(({ every, callback }) => `${every} ${String(callback)}`).join()}`)
}

/** Until every run has ended; somebody answers whatever they ask. */
async function settle ({ loop, ledger, journal }: World, answers: Answers): Promise<void> {
  const deadline = loop.now + PATIENCE_MS
  while (loop.now < deadline) {
    if (ledger.open.length === 0) return
    await answers.all()
    await loop.sleep(100)
  }
  for (const { runId, log, firstSeq } of ledger.open) journal.violation('C8', `${runId} of ${log.id} ${firstSeq === null ? 'waits' : 'runs'} for ever`)
}

/** Connected clients have been told everything, though nothing new happens in its session. */
async function told (followers: Follower[], { loop, journal }: World): Promise<void> {
  const deadline = loop.now + TELLING_MS
  const waiting = (): Follower[] => followers.filter((follower) => !follower.isTold)
  while (loop.now < deadline && waiting().length > 0) await loop.sleep(100)
  for (const { reader } of waiting()) journal.violation('C8', `${reader.name} is not told what is behind ${reader.cursor} of ${reader.log.lastSeq} in ${reader.log.id}`)
}

/** Every session that exists takes a message, and answers it. */
async function probe (server: Server, posts: Posts, answers: Answers, world: World): Promise<void> {
  const { ledger, journal, loop } = world
  for (const sessionId of ledger.sessions.keys()) {
    if (ledger.deleted.has(sessionId)) continue
    let message = posts.message(sessionId, 'reject', false, PROBE)
    let refused = await posts.send(message, server)
    // An answer of the database may still be on its way to the server.
    for (const deadline = loop.now + PATIENCE_MS; refused === 'TOO_MANY_RUNS' && loop.now < deadline;) {
      await loop.sleep(500)
      message = posts.message(sessionId, 'reject', false, PROBE)
      refused = await posts.send(message, server)
    }
    await settle(world, answers)
    if (ledger.deleted.has(sessionId)) continue
    const reason = ledger.runs.get(message.accepted[0]?.runId ?? '')?.complete?.reason
    if (refused !== null || reason !== 'finished') journal.violation('C8', `${sessionId} does not answer: ${refused ?? reason}`)
  }
}

/** No native id is in the log, and a compaction has left nothing behind that it should not. */
function judgeLogs ({ ledger, journal, performances }: World): void {
  const nativeIds = [...performances.values()].flatMap((script) => script.nativeIds).flatMap((id) => [id, encodeURIComponent(id), JSON.stringify(id).slice(1, -1)])
  for (const log of ledger.sessions.values()) {
    for (const { versions, seq } of log.events) {
      const leaked = nativeIds.find((id) => versions.some((json) => json.includes(id)))
      if (leaked !== undefined) journal.violation('C7', `${log.id}:${seq} holds ${leaked}: ${versions.join(' then ')}`)
    }
    for (const runId of new Set(log.events.map((event) => event.runId))) {
      for (const [key, text] of log.textsOf(runId)) {
        const leaked = nativeIds.find((id) => text.includes(id))
        if (leaked !== undefined) journal.violation('C7', `${key} of ${runId} says ${leaked}`)
      }
    }
  }
}
