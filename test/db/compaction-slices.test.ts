/* Compaction in slices: a reader between two of them, from any cursor, rebuilds the same text. */
import Database from 'better-sqlite3'
import { test } from 'tap'
import { delta, drive, OWNER, status, text } from '../../conformance/store/driven-run.ts'
import { compactRun, type Transactions } from '../../db/sqlite/compaction.ts'
import { Connection } from '../../db/sqlite/connection.ts'
import { sqliteStore } from '../../db/sqlite/store.ts'
import { type Event, parseEvent, pendingEvent, type StoredEvent } from '../../lib/protocol/event.ts'
import { random } from '../helpers/random.ts'

const ALL = { rows: 100_000, bytes: 1e9 }

/** A client by the rules of the protocol; one that can only append fails where a text does not go on from what it has. */
class Client {
  readonly texts = new Map<string, string>()
  readonly #canSet: boolean
  problem: string | null = null

  constructor (canSet: boolean) {
    this.#canSet = canSet
  }

  read (events: Event[]): this {
    for (const event of events) {
      if (event.kind !== 'stream_delta' && !(event.kind === 'text' && event.role === 'assistant')) continue
      const before = this.texts.get(event.messageId) ?? ''
      const whole = event.kind === 'text' ? event.content as string : event.snapshot === true ? event.content : null
      if (whole !== null && !this.#canSet && !whole.startsWith(before)) this.problem ??= `${event.seq} ${event.kind}`
      this.texts.set(event.messageId, whole ?? before + event.content)
    }
    return this
  }
}

/** A run of many deltas, of which some messages have their whole and others not yet, and a look at it behind every transaction. */
async function build (isOver: boolean) {
  const database = new Database(':memory:')
  const store = sqliteStore({ database })
  await store.open()
  const run = await drive(store, 'r')
  const dice = random(1)
  const texts = new Map<string, string>()
  const say = async (messageId: string, words: number): Promise<void> => {
    const deltas = Array.from({ length: words }, (_, index) => `${index}${'x'.repeat(dice.below(50))} `)
    texts.set(messageId, (texts.get(messageId) ?? '') + deltas.join(''))
    await run.append(...deltas.flatMap((word) => dice.chance(0.1) ? [status('busy'), delta(messageId, word)] : [delta(messageId, word)]))
  }
  for (let part = 0; part < 4; part++) {
    await say(`whole-${part}`, 700)
    await say('open', 300)
    await run.append(pendingEvent('text', { role: 'assistant', messageId: `whole-${part}`, content: texts.get(`whole-${part}`)! }), text(`note-${part}`))
  }
  await say('open', 200)
  if (isOver) await run.end()
  const connection = await Connection.use(database)
  const log = async () => (await store.readEvents('s', OWNER, 0, ALL))!
  return { database, store, connection, texts, log, close: async () => { await store.close(); database.close() } }
}

for (const isOver of [false, true]) {
  test(`between any two slices every reader rebuilds the same text, of a run that ${isOver ? 'is over' : 'goes on'}`, async (t) => {
    const { connection, texts, log, close } = await build(isOver)
    t.teardown(close)
    const before = (await log()).events.map(parseEvent)
    const lastSeq = before.at(-1)!.seq
    const cursors = [0, 1, 350, 701, 1_000, 2_345, lastSeq]
    let transactions = 0
    const problems: string[] = []
    const look = async (): Promise<void> => {
      transactions++
      const page = await log()
      const events = page.events.map(parseEvent)
      const there = new Set(events.map(({ seq }) => seq))
      const hole = before.find(({ seq }) => !there.has(seq) && seq > page.compactedThrough)
      if (hole !== undefined) problems.push(`${transactions}: ${hole.seq} is missing above ${page.compactedThrough}`)
      for (const cursor of cursors) {
        const client = new Client(true).read(before.filter(({ seq }) => seq <= cursor)).read(events.filter(({ seq }) => seq > cursor))
        for (const [id, content] of texts) if (client.texts.get(id) !== content) problems.push(`${transactions}: ${id} from ${cursor}`)
      }
      const appending = new Client(false).read(events)
      if (appending.problem !== null) problems.push(`${transactions}: who can only append stumbles at ${appending.problem}`)
    }
    const watched: Transactions = {
      read: (work) => connection.read(work),
      async write (work) {
        const answer = await connection.write(work)
        await look()
        return answer
      }
    }
    const left = await compactRun(watched, 'r', isOver ? 0 : 100)
    const after = (await log()).events
    const transient = (events: StoredEvent[]): number => events.filter((event) => event.transient).length
    t.ok(transactions > 5, `${transactions} transactions`)
    t.strictSame(problems.slice(0, 5), [])
    t.equal(left, transient(after))
    // The deltas of the unfinished message behind the last text are shorter than a snapshot of all of it.
    t.ok(left < 300, `${left} are left`)
  })
}

test('a compaction that was cut off between slices is finished by the next', async (t) => {
  const { connection, store, texts, log, close } = await build(true)
  t.teardown(close)
  for (let allowed = 0; ; allowed++) {
    let left = allowed
    const cut: Transactions = {
      read: (work) => connection.read(work),
      async write (work) {
        if (left-- === 0) throw new Error('cut off')
        return connection.write(work)
      }
    }
    const isDone = await compactRun(cut, 'r', 0).then(() => true, () => false)
    const client = new Client(true).read((await log()).events.map(parseEvent))
    for (const [id, content] of texts) t.ok(client.texts.get(id) === content, `${id} after ${allowed} transactions`)
    t.equal((await store.listCompactableRuns(Date.now() + 1_000, 10)).length, isDone ? 0 : 1)
    if (isDone) break
  }
})
