/* Readers that come back by themselves over a bad network, and one on a good one that knows what they should have. */
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import { createClient, emptyTranscript, fold, type RunsClient, type StreamItem, type Transcript, type TranscriptPart } from '../../client/index.ts'
import { type Event, isTransient } from '../../lib/protocol/event.ts'
import { chatterMessage } from './chatter.ts'
import { FaultyProxy } from './faulty-proxy.ts'
import { latch } from './latch.ts'
import { random, type Random } from './random.ts'

/** What one schedule came to. */
export interface ClientOutcome {
  faults: string[]
  events: number
  runs: number
  connections: number
  /** How often a reader was told that events are gone. */
  gaps: number
  /** What the proxy did. */
  harm: number
}

/** What one reader has had. */
class Record {
  readonly faults: string[] = []
  readonly events = new Map<number, Event>()
  transcript: Transcript = emptyTranscript
  connections = 0
  gaps = 0
  #mayMiss = 0

  take (item: StreamItem): void {
    this.transcript = fold(this.transcript, item)
    if ('seq' in item) {
      const last = [...this.events.keys()].at(-1) ?? 0
      if (item.seq <= last) this.faults.push(`seq ${item.seq} after ${last}`)
      if (item.seq - 1 > Math.max(last, this.#mayMiss)) this.faults.push(`seq ${item.seq} after ${last}, and nobody said that what is between is gone`)
      if (item.seq - 1 > last) this.gaps++
      this.events.set(item.seq, item)
    } else if (item.kind === 'chat_subscribed') {
      this.connections++
      this.#mayMiss = Math.max(this.#mayMiss, item.compactedThrough)
    } else if (item.kind === 'gap' && item.reason === 'compacted') {
      this.#mayMiss = Math.max(this.#mayMiss, item.to)
    } else if (item.kind !== 'queue_changed') {
      this.faults.push(`was given ${JSON.stringify(item)}`)
    }
  }

  /** What is otherwise than with one who has had everything. */
  compare (whole: Record): string[] {
    const faults = [...this.faults]
    for (const [seq, event] of whole.events) {
      const mine = this.events.get(seq)
      if (mine === undefined && !isTransient(event.kind, event as { transient?: unknown })) faults.push(`${event.kind} ${seq} is missing`)
      const isSnapshot = (mine !== undefined && 'snapshot' in mine) || 'snapshot' in event
      if (mine !== undefined && !isSnapshot && !isDeepStrictEqual(mine, event)) faults.push(`${seq} is ${JSON.stringify(mine)}, not ${JSON.stringify(event)}`)
    }
    const ofAll = this.gaps + whole.gaps > 0 ? shown : (transcript: Transcript) => transcript
    const [mine, theirs] = [ofAll(this.transcript), ofAll(whole.transcript)]
    if (!isDeepStrictEqual(mine, theirs)) faults.push(`the transcript is ${JSON.stringify(mine)}, not ${JSON.stringify(theirs)}`)
    return faults
  }
}

/** What compaction leaves of a transcript: everything but what tools said on their way, and where a message began. */
function shown ({ cursor, runs }: Transcript): unknown {
  const durable = (part: TranscriptPart): TranscriptPart => part.type === 'tool' ? { ...part, status: null, update: null } : part
  const byKey = (one: TranscriptPart, other: TranscriptPart): number => one.key < other.key ? -1 : 1
  // A tool of which there was nothing but what it said on its way is not there.
  const isThere = (part: TranscriptPart): boolean => part.type !== 'tool' || part.toolName !== '' || part.result !== null
  return { cursor, runs: runs.map((run) => ({ ...run, parts: run.parts.map(durable).filter(isThere).sort(byKey) })) }
}

export class ClientSchedule {
  readonly #url: string
  readonly #transport: 'sse' | 'websocket'
  readonly #seed: number
  readonly #session: string
  readonly #faults: string[] = []
  readonly #over = latch<number>()
  /** Who follows, and has had nothing yet. */
  #hopeful = 0
  readonly proxy: FaultyProxy

  private constructor (url: string, proxy: FaultyProxy, transport: 'sse' | 'websocket', seed: number) {
    this.proxy = proxy
    this.#url = url
    this.#transport = transport
    this.#seed = seed
    this.#session = `${transport}-${seed}`
  }

  /** A session of its own on the server at `url`, and a bad way there. */
  static async open (t: Test, url: string, transport: 'sse' | 'websocket', seed: number): Promise<ClientSchedule> {
    return new ClientSchedule(url, await FaultyProxy.open(t, url, seed), transport, seed)
  }

  async play (): Promise<ClientOutcome> {
    const { below } = random(this.#seed)
    const { proxy } = this
    const client = (url: string): RunsClient => createClient(url, { transport: this.#transport, WebSocket, idleTimeoutMs: url === proxy.url ? 150 : 45_000, retry: { minMs: 1, maxMs: 10, attempts: 1_000 } })
    const direct = client(this.#url)
    const whole = new Record()
    const readers = Array.from({ length: 1 + below(2) }, () => new Record())
    // Each its own client: two who follow one session over one WebSocket would not both do so.
    const clients = [...readers, null].map(() => client(proxy.url))
    const reading = [
      this.#read(direct, whole, null),
      ...readers.map((record, index) => this.#read(clients[index]!, record, random(this.#seed * 100 + index)))
    ]
    const runs = await this.#write(clients.at(-1)!, random(this.#seed * 100 + 99))
    this.#over.open(await settled(direct, this.#session))
    await Promise.all(reading)
    direct.close()
    for (const each of clients) each.close()
    proxy.close()
    const faults = [...this.#faults, ...whole.faults, ...readers.flatMap((record, index) => record.compare(whole).map((fault) => `reader ${index}: ${fault}`))]
    const sum = (count: (record: Record) => number): number => readers.reduce((all, record) => all + count(record), 0)
    return { faults, events: whole.events.size, runs, connections: sum(({ connections }) => connections), gaps: sum(({ gaps }) => gaps), harm: proxy.faults.length }
  }

  async #write (client: RunsClient, { below }: Random): Promise<number> {
    const count = 1 + below(3)
    const sent = await Promise.all(Array.from({ length: count }, async (_, index) => {
      return client.send(this.#session, { content: chatterMessage(this.#seed * 10 + index, below(150)), onBusy: 'queue' })
    }))
    const runs = await createClient(this.#url).listRuns(this.#session)
    const [accepted, known] = [sent, runs].map((some) => some.map(({ runId }) => runId).sort())
    if (!isDeepStrictEqual(accepted, known)) this.#faults.push(`${count} messages were runs ${known!.join()}, and accepted as ${accepted!.join()}`)
    return count
  }

  /** Follows to the end; leaves now and then, if it is told so, and follows anew from where it was. */
  async #read (client: RunsClient, record: Record, numbers: Random | null): Promise<void> {
    let stop = new AbortController()
    let lastSeq = Infinity
    void this.#over.promise.then((seq) => {
      lastSeq = seq
      if (record.transcript.cursor >= seq) stop.abort()
    })
    while (record.transcript.cursor < lastSeq) {
      let items = numbers?.chance(0.4) === true ? numbers.below(60) : Infinity
      let hopes = numbers !== null
      const hope = (): void => {
        if (hopes) this.#hopeful--
        hopes = false
        this.proxy.hasWorked = this.#hopeful === 0
      }
      if (hopes) this.#hopeful++
      stop = new AbortController()
      this.proxy.hasWorked = this.#hopeful === 0
      for await (const item of client.follow(this.#session, { cursor: record.transcript.cursor, signal: stop.signal })) {
        hope()
        record.take(item)
        if (record.transcript.cursor >= lastSeq || --items < 0) break
      }
      hope()
    }
  }
}

/** The last seq, once nothing runs or waits. */
async function settled (client: RunsClient, sessionId: string): Promise<number> {
  for (;;) {
    const session = await client.getSession(sessionId)
    if (session?.isProcessing === false) return session.lastSeq
    await delay(5)
  }
}
