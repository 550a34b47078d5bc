import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { test, type Test } from 'tap'
import type { Event } from '../../lib/protocol/event.ts'
import { random } from '../helpers/random.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { SessionView } from '../helpers/session-view.ts'
import { type ScriptProcess, spawnScript } from '../helpers/spawn-script.ts'
import { tempDir } from '../helpers/temp-dir.ts'

/** How often the server is killed; a few times in the suite. */
const ROUNDS = Number(process.env['CRASH_ROUNDS'] ?? 5)
const SEED = Number(process.env['CRASH_SEED'] ?? 1)

async function serve (t: Test, database: string): Promise<{ server: ScriptProcess, url: string }> {
  const server = spawnScript(t, 'serve-demo.ts', [database])
  const [, url] = (await server.line('listening ')).split(' ')
  return { server, url: url! }
}

/** What a client shows of a session: the text of each message. */
function messagesOf (events: Event[]): Map<string, string> {
  const messages = new Map<string, string>()
  for (const event of events) {
    if (event.kind === 'text') messages.set(event.messageId, event.content as string)
    if (event.kind === 'stream_delta') messages.set(event.messageId, (messages.get(event.messageId) ?? '') + event.content)
  }
  return messages
}

test('kill -9 during 50 runs loses nothing that a client saw, ends each run once, and frees each session', async (t) => {
  const database = join(tempDir(t), 'runs.db')
  const { server, url } = await serve(t, database)
  const ids = Array.from({ length: 50 }, (_, i) => `s${i}`)
  const script = (i: number) => JSON.stringify({ demo: { n: 1_000_000, gapMs: 3, nonce: `n${i}`, kind: i % 2 === 0 ? 'stream_delta' : 'text' } })
  const started = await Promise.all(ids.map((id, i) => postJson(`${url}/sessions/${id}/messages`, { content: script(i) })))
  t.strictSame(started.map(({ status }) => status), ids.map(() => 202))
  const before = await Promise.all(ids.map((id) => SseClient.open(`${url}/sessions/${id}/stream`)))
  await Promise.all(before.map((client, i) => client.until(({ events }) => events.length > 5 + i % 7)))
  t.equal(await server.kill('SIGKILL'), 'SIGKILL')
  await Promise.all(before.map((client) => client.ended()))

  const second = await serve(t, database)
  const after = await Promise.all(ids.map((id, i) => SseClient.open(`${second.url}/sessions/${id}/stream`, { headers: { 'last-event-id': before[i]!.lastEventId! } })))
  await Promise.all(after.map((client) => client.frame('complete')))

  for (const [i, id] of ids.entries()) {
    const seen = [...before[i]!.events, ...after[i]!.events]
    t.strictSame(seen.map(({ seq }) => seq), seen.map((_, index) => index + 1), `${id}: every event once, in order`)
    t.strictSame(seen.filter(({ kind }) => kind === 'complete').map((event) => 'reason' in event && event.reason), ['interrupted'], `${id}: one end`)
    const history = (await (await fetch(`${second.url}/sessions/${id}/messages?limit=500`)).json() as { events: Event[] }).events
    if (i % 2 === 0) t.strictSame(messagesOf(history), messagesOf(seen), `${id}: the text that was seen is in the history`)
    after[i]!.cut()
  }
  const again = await Promise.all(ids.map((id) => postJson(`${second.url}/sessions/${id}/messages`, { content: '{"demo":{"n":1}}' })))
  t.strictSame(again.map(({ status }) => status), ids.map(() => 202), 'each session takes a message at once')
})

test('a run whose process is killed while another lives is ended when its session is wanted', async (t) => {
  const database = join(tempDir(t), 'runs.db')
  const [first, second] = [await serve(t, database), await serve(t, database)]
  const { body } = await postJson(`${first.url}/sessions/s/messages`, { content: '{"demo":{"mode":"hang","n":3}}' })
  const refused = await postJson(`${second.url}/sessions/s/messages`, { content: 'hi' })
  t.match(refused, { status: 409, body: { code: 'RUN_IN_PROGRESS', runId: body['runId'] } }, 'its process lives')
  await first.server.kill('SIGKILL')
  const accepted = await postJson(`${second.url}/sessions/s/messages`, { content: 'hi' })
  t.equal(accepted.status, 202)
  const run = await (await fetch(`${second.url}/runs/${body['runId'] as string}`)).json()
  t.match(run, { status: 'completed', reason: 'interrupted', success: false })
})

/** A client of one session, from one life of the server to the next. */
class Survivor {
  readonly view = new SessionView()
  readonly accepted = new Set<string>()
  readonly session: string
  #key = 0
  /** The message whose answer never came. */
  #unanswered: { content: string, key: string } | null = null
  #client: SseClient | null = null

  constructor (session: string) {
    this.session = session
  }

  /** Follows from where it is. False if the server died before that. */
  async follow (url: string): Promise<boolean> {
    this.#client = await SseClient.open(`${url}/sessions/${this.session}/stream`, { headers: { 'last-event-id': String(this.view.cursor) } }).catch(() => null)
    return this.#client !== null
  }

  /** Sends the message again whose answer it does not know, then a new one. What was not taken at once; null if the server died. */
  async say (url: string, content: string): Promise<string[] | null> {
    const refused: string[] = []
    for (;;) {
      const again = this.#unanswered
      const message = this.#unanswered = again ?? { content, key: `key-${this.#key++}` }
      const answer = await postJson(`${url}/sessions/${this.session}/messages`, { content: message.content }, { 'idempotency-key': message.key }).catch(() => null)
      if (answer === null) return null
      this.#unanswered = null
      const { status, body } = answer
      if (status === 202) this.accepted.add(body['runId'] as string)
      else refused.push(`${this.session}: ${status} ${JSON.stringify(body)}`)
      // One that the dead server had not taken runs now.
      if (again === null || body['status'] === 'running') return refused
    }
  }

  /** Sends the message again whose answer it does not know, and stops what comes of it: that may go on for long. */
  async giveUp (url: string): Promise<void> {
    if (this.#unanswered === null) return
    const { content, key } = this.#unanswered
    this.#unanswered = null
    const { body } = await postJson(`${url}/sessions/${this.session}/messages`, { content }, { 'idempotency-key': key })
    this.accepted.add(body['runId'] as string)
    await postJson(`${url}/sessions/${this.session}/abort`, { runId: body['runId'] })
  }

  /** The connection is over, and what came of it known. */
  async leave (): Promise<void> {
    await this.#client?.ended()
    for (const { data } of this.#client?.frames ?? []) this.view.take(data)
    this.#client = null
  }

  /** Until the last run is over. */
  async end (): Promise<void> {
    const last = [...this.accepted].at(-1)!
    await this.#client!.until(({ events }) => events.some(({ kind, runId }) => kind === 'complete' && runId === last))
    this.#client!.cut()
    await this.leave()
  }
}

test(`killed ${ROUNDS} times at any moment, recovery included, the server loses nothing that was seen, ends each run once, and takes a message right after`, async (t) => {
  const database = join(tempDir(t), 'runs.db')
  const { below, chance } = random(SEED)
  const survivors = Array.from({ length: 12 }, (_, i) => new Survivor(`s${i}`))
  const script = (i: number): string => JSON.stringify({ demo: { n: i % 3 === 0 ? below(100) : 1_000_000, gapMs: 1 + below(3), kind: i % 2 === 0 ? 'stream_delta' : 'text' } })
  const counts = { recoveries: 0, posts: 0, dead: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    const server = spawnScript(t, 'serve-demo.ts', [database])
    await server.line('opening')
    if (round % 3 === 1 || chance(0.1)) {
      // While it opens the database, ends what was left, or has just begun to listen.
      await delay(below(150))
      await server.kill('SIGKILL')
      counts.recoveries++
      continue
    }
    const [, url] = (await server.line('listening ')).split(' ')
    const early = chance(0.3) ? delay(below(60)).then(() => server.kill('SIGKILL')) : null
    await Promise.all(survivors.map(async (survivor, i) => {
      if (!await survivor.follow(url!)) return
      const refused = await survivor.say(url!, script(i))
      if (refused === null) counts.dead++
      else counts.posts++
      if ((refused ?? []).length > 0) t.fail(`round ${round}: ${refused!.join()}`)
    }))
    if (early === null) await delay(below(300))
    await (early ?? server.kill('SIGKILL'))
    await Promise.all(survivors.map((survivor) => survivor.leave()))
  }
  const { url } = await serve(t, database)
  await Promise.all(survivors.map(async (survivor) => {
    await survivor.follow(url)
    await survivor.giveUp(url)
    t.strictSame(await survivor.say(url, '{"demo":{"n":3}}'), [], survivor.session)
    await survivor.end()
    const history = new SessionView()
    await history.load(`${url}/sessions/${survivor.session}`)
    t.strictSame(survivor.view.compare(history, survivor.accepted), [], survivor.session)
  }))
  t.comment(JSON.stringify({ ...counts, runs: survivors.reduce((runs, { accepted }) => runs + accepted.size, 0), events: survivors.reduce((events, { view }) => events + view.cursor, 0) }))
})
