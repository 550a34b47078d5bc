/* Chats of many turns, and what a database takes to keep them. */
import SqliteDatabase from 'better-sqlite3'
import Fastify from 'fastify'
import { sqliteStore } from '../../db/sqlite/store.ts'
import agentRuns, { type ProviderEvent, type RunRegistry } from '../../index.ts'
import { answer } from '../answer.ts'
import { readLog } from '../reference/copy.ts'

/** What a token or a few have. */
const DELTA_CHARACTERS = 21

/** Ordinary English words: a text of them compresses about as well as any other. */
const WORDS = `the of and to in is that for it as was with be by on not he his but at are this have from or had an they which one you were all her
  she there would their we him been has when who will no more if out so up said what its about than into them can only other time new some could these two
  may first then do any like my now over such our man me even most made after also did many off before must well back through years where much your way
  down should because long each just state those people too mister how little good world make very year still see own work men day get here old life both
  between being under three never know same last another while us might great go come since against right came take used himself few house use place during
  high without again home around small however found part school thought went say general once upon every left war does got united number hand course water
  until always away public something fact less though far put head think called set almost enough end took government night yet better`.split(/\s+/)

export interface KeptBytes {
  /** Bytes of the text of all turns. */
  text: number
  /** By one byte of text: in the last turn while it runs, then in all when they have ended, then when all are compacted. */
  running: number
  ended: number
  compacted: number
  fault: string | null
}

export type Chats = typeof answers

const answers = {
  /** Lets so many sessions at once have so many turns, each answered by so many characters. */
  async keep (path: string, sessions: number, turns: number, characters: number): Promise<KeptBytes> {
    const store = sqliteStore({ path })
    let turnOver = new Promise<void>(() => {})
    const app = Fastify()
    await app.register(agentRuns, {
      store,
      routes: false,
      providers: {
        agent: {
          async * run ({ content }): AsyncGenerator<ProviderEvent> {
            const text = textOf(characters, Number((content as string).replaceAll(/\D/g, '')))
            for (let at = 0; at < text.length; at += DELTA_CHARACTERS) yield { kind: 'stream_delta', messageId: 'm', content: text.slice(at, at + DELTA_CHARACTERS) }
            await turnOver
          }
        }
      }
    })
    const deltas = Math.ceil(characters / DELTA_CHARACTERS)
    const sessionIds = Array.from({ length: sessions }, (_, session) => `session-${session}`)
    for (const id of sessionIds) await app.agentRuns.createSession({ id })
    const heard = listen(app.agentRuns, sessionIds)
    const empty = bytesOf(path)
    const runIds: string[] = []
    let text = 0
    let running = 0
    for (let turn = 0; turn < turns; turn++) {
      let endTurn = (): void => {}
      turnOver = new Promise((resolve) => { endTurn = resolve })
      const [bytesBefore, textBefore] = [bytesOf(path), text]
      for (const [session, sessionId] of sessionIds.entries()) {
        const content = `What do you say to ${session * 1_000 + turn}?`
        text += content.length + characters
        runIds.push((await app.agentRuns.startRun({ sessionId, content })).runId)
      }
      await heard.reached('stream_delta', (turn + 1) * sessions * deltas)
      running = (bytesOf(path) - bytesBefore) / (text - textBefore)
      endTurn()
      await heard.reached('complete', (turn + 1) * sessions)
    }
    const ended = (bytesOf(path) - empty) / text
    // Each turn has its question, the deltas, the whole text, and the end.
    const log = await readLog(store, 'session-0')
    const fault = log.length === turns * (deltas + 3) ? null : `${log.length} of ${turns * (deltas + 3)} events are stored`
    for (const runId of runIds) await store.compactRun(runId, 0)
    while (await store.purge()) { /* there is more */ }
    const compacted = (bytesOf(path) - empty) / text
    const kept = await readLog(store, 'session-0')
    const texts = kept.filter(({ kind }) => kind === 'text').length
    await app.close()
    await store.close()
    return { text, running, ended, compacted, fault: fault ?? (texts === 2 * turns ? null : `${texts} of ${2 * turns} messages were kept`) }
  }
}

/** A text of so many characters, for each seed another. */
function textOf (characters: number, seed: number): string {
  let state = seed
  let text = ''
  while (text.length < characters) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    text += `${WORDS[(state >>> 8) % WORDS.length]} `
  }
  return text.slice(0, characters)
}

/** Counts the events of sessions by their kinds, as they come. */
function listen (registry: RunRegistry, sessionIds: string[]): { reached: (kind: string, events: number) => Promise<void> } {
  const counts = new Map<string, number>()
  let [awaited, goal, reach] = ['', 0, (): void => {}]
  for (const sessionId of sessionIds) {
    void (async () => {
      for await (const { kind } of registry.subscribe(sessionId)) {
        const count = (counts.get(kind) ?? 0) + 1
        counts.set(kind, count)
        if (kind === awaited && count >= goal) reach()
      }
    })()
  }
  return {
    reached: (kind, events) => new Promise((resolve) => {
      [awaited, goal, reach] = [kind, events, resolve]
      if ((counts.get(kind) ?? 0) >= events) resolve()
    })
  }
}

/** What of a database is in use, in its file or still in its log. */
function bytesOf (path: string): number {
  const database = new SqliteDatabase(path)
  const pragma = (name: string): number => database.pragma(name, { simple: true }) as number
  const bytes = (pragma('page_count') - pragma('freelist_count')) * pragma('page_size')
  database.close()
  return bytes
}

answer(answers)
