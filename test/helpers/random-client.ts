/* Clients of one session that do whatever a seed makes them do: one that writes, and several that read over a bad network. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import type { Event } from '../../lib/protocol/event.ts'
import { CuttingProxy } from './cutting-proxy.ts'
import { latch } from './latch.ts'
import { random, type Random } from './random.ts'
import { postJson, SseClient } from './read-sse.ts'
import { NATIVE_MARKER, SessionView } from './session-view.ts'

/** What one schedule came to. */
export interface Outcome {
  faults: string[]
  events: number
  runs: number
  connections: number
  /** How often a reader was told that deltas were gone. */
  gaps: number
}

interface Message { body: { content: string, onBusy: string }, key: string | null }

export class RandomSchedule {
  readonly #t: Test
  readonly #url: string
  readonly #session: string
  readonly #seed: number
  readonly #isUnsteady: boolean
  #proxy!: CuttingProxy
  readonly #faults: string[] = []
  readonly #accepted = new Set<string>()
  readonly #views: SessionView[] = []
  /** Resolves with the last seq once nothing more comes. */
  readonly #over = latch<number>()
  #connections = 0

  /** A session of its own on the server at `url`, which may answer 503 if it `isUnsteady`. */
  constructor (t: Test, url: string, seed: number, { isUnsteady = false } = {}) {
    this.#isUnsteady = isUnsteady
    this.#t = t
    this.#url = url
    this.#seed = seed
    this.#session = `seed-${seed}`
  }

  get #sessionUrl (): string {
    return `${this.#url}/sessions/${this.#session}`
  }

  async play (): Promise<Outcome> {
    this.#proxy = await CuttingProxy.open(this.#t, this.#url)
    // Each has its own numbers, so that none depends on when another came to its turn.
    const { below } = random(this.#seed)
    const readers = 1 + below(3)
    const reading = Array.from({ length: readers }, (_, index) => this.#read(random(this.#seed * 100 + index + 1)))
    await this.#write(random(this.#seed * 100))
    const lastSeq = await this.#settle()
    this.#over.open(lastSeq)
    await Promise.all(reading)
    await this.#judge(lastSeq)
    this.#proxy.close()
    const sum = (count: (view: SessionView) => number): number => this.#views.reduce((all, view) => all + count(view), 0)
    return { faults: this.#faults, events: lastSeq, runs: this.#accepted.size, connections: this.#connections, gaps: sum(({ gaps }) => gaps) }
  }

  async #write (numbers: Random): Promise<void> {
    const { below, chance, pick } = numbers
    const sent: Message[] = []
    const large = chance(0.03)
    for (let steps = 2 + below(7); steps > 0; steps--) {
      if (sent.length === 0 || chance(0.5)) {
        const told = { seed: below(2 ** 31), events: below(large ? 150 : chance(0.4) ? 500 : 100), size: large ? 60_000 : 0 }
        const message = {
          body: { content: JSON.stringify({ random: told }), onBusy: sent.length === 0 ? 'queue' : pick(['reject', 'queue', 'interrupt']) },
          key: chance(0.6) || this.#isUnsteady ? `key-${steps}` : null
        }
        sent.push(message)
        await this.#post(message, numbers)
      } else if (chance(0.3)) {
        const repeated = pick(sent)
        if (repeated.key !== null) await this.#post(repeated, numbers)
      } else if (chance(0.4)) {
        const runId = chance(0.5) ? pick([...this.#accepted]) : undefined
        await this.#abort(runId)
      } else {
        await delay(below(25))
      }
    }
  }

  /** Of a message with a key it may be sent again and again which run it is; one without is sent once. */
  readonly #runOf = new Map<string, string>()

  async #post ({ body, key }: Message, { chance }: Random): Promise<void> {
    const viaProxy = key !== null && chance(0.5)
    const times = key !== null && chance(0.3) ? 3 : 1
    await Promise.all(Array.from({ length: times }, async () => {
      for (;;) {
        const answer = await postJson(`${viaProxy ? this.#proxy.url : this.#url}/sessions/${this.#session}/messages`, body, key === null ? {} : { 'idempotency-key': key }).catch(() => null)
        // The connection was cut: nobody knows whether the message was taken.
        if (answer === null || this.#isForLater(answer.status)) continue
        this.#note(answer.status, answer.body, key)
        return
      }
    }))
  }

  #note (status: number, { runId, code }: Record<string, unknown>, key: string | null): void {
    if (status === 202) {
      const before = key === null ? undefined : this.#runOf.get(key)
      if (before !== undefined && before !== runId) this.#faults.push(`${key} is run ${before}, and run ${String(runId)}`)
      if (key !== null) this.#runOf.set(key, runId as string)
      this.#accepted.add(runId as string)
    } else if (!(status === 409 && code === 'RUN_IN_PROGRESS') && !(status === 429 && code === 'QUEUE_FULL')) {
      this.#faults.push(`a message got ${status} ${String(code)}`)
    }
  }

  async #abort (runId?: string): Promise<void> {
    const { status, body } = await postJson(`${this.#sessionUrl}/abort`, runId === undefined ? {} : { runId })
    if (this.#isForLater(status)) return
    if (status === 200 && body['kind'] !== 'complete') this.#faults.push(`an abort got ${JSON.stringify(body)}`)
    if (![200, 202].includes(status) && body['code'] !== 'NO_ACTIVE_RUN') this.#faults.push(`an abort got ${status} ${JSON.stringify(body)}`)
  }

  /** Waits until nothing runs or waits any more; stops what would go on for ever. Answers the last seq. */
  async #settle (): Promise<number> {
    for (let looks = 1; ; looks++) {
      const { isProcessing, lastSeq } = await this.#get<{ isProcessing: boolean, lastSeq: number }>('')
      if (!isProcessing) return lastSeq
      await delay(5)
      if (looks % 20 === 0) await this.#abort()
    }
  }

  async #get<T> (path: string): Promise<T> {
    return await (await this.#fetch(this.#sessionUrl + path)).json() as T
  }

  readonly #fetch = async (url: string): Promise<Response> => {
    for (;;) {
      const response = await fetch(url)
      if (!this.#isForLater(response.status)) return response
    }
  }

  #isForLater (status: number): boolean {
    return this.#isUnsteady && status === 503
  }

  async #read (numbers: Random): Promise<void> {
    const { below, chance } = numbers
    const view = new SessionView()
    this.#views.push(view)
    const url = chance(0.8) ? this.#proxy.url : this.#url
    if (chance(0.2)) {
      // A page that is reloaded at some moment: what is there, and the stream from there.
      await delay(below(60))
      await view.load(this.#sessionUrl, this.#fetch)
    }
    let lastSeq = Infinity
    void this.#over.promise.then((seq) => { lastSeq = seq })
    for (let last = 0; view.cursor < lastSeq;) {
      const calm = lastSeq < Infinity && ++last > 3
      const inHeader = chance(0.7)
      const path = `${url}/sessions/${this.#session}/stream`
      const client = await (inHeader ? SseClient.open(path, { headers: { 'last-event-id': String(view.cursor) } }) : SseClient.open(`${path}?lastEventId=${view.cursor}`)).catch(() => null)
      if (client === null) continue
      this.#connections++
      await this.#stay(client, view, numbers, calm)
      client.cut()
      for (const { data } of client.frames) view.take(data)
      // Away for long enough that deltas may be gone, or for no longer than it takes.
      if (!calm && chance(0.3)) await delay(below(chance(0.2) ? 600 : 20))
      if (client.raw.includes(NATIVE_MARKER)) this.#faults.push('a native id came out')
    }
  }

  /** Reads for a while, or to the end; leaves, stalls, or is cut off. */
  async #stay (client: SseClient, view: SessionView, { below, pick }: Random, calm: boolean): Promise<void> {
    const lost = (): void => {}
    const toTheEnd = this.#over.promise.then((lastSeq) => client.until(({ seqs }) => (seqs.at(-1) ?? view.cursor) >= lastSeq)).then(lost, lost)
    const frames = below(60)
    const some = (more = 0): Promise<void> => client.until(({ kinds }) => kinds.length > frames + more).then(lost, lost)
    switch (calm ? 'stay' : pick(['stay', 'leave', 'leave', 'at once', 'cut', 'cut', 'stall'])) {
      case 'stay':
        // Until it is over, or a cut that was meant for another reader.
        await Promise.race([toTheEnd, client.ended()])
        return
      case 'leave':
        return await Promise.race([some(), toTheEnd])
      case 'at once':
        return
      case 'cut':
        // The connection breaks within the frame of some later event.
        void this.#proxy.cutInside(`"seq":${view.cursor + 1 + below(40)},`)
        await Promise.race([toTheEnd, client.ended()])
        return
      case 'stall':
        await Promise.race([some(), toTheEnd])
        client.stall()
        await delay(below(300))
        client.resume()
        return await Promise.race([some(30), toTheEnd])
    }
  }

  async #judge (lastSeq: number): Promise<void> {
    const history = new SessionView()
    await history.load(this.#sessionUrl, this.#fetch)
    if (history.cursor !== lastSeq) this.#faults.push(`the history ends at ${history.cursor}, the log at ${lastSeq}`)
    for (const [index, view] of this.#views.entries()) {
      this.#faults.push(...view.compare(history, this.#accepted).map((fault) => `reader ${index}: ${fault}`))
    }
    await this.#judgeRetained(lastSeq)
  }

  /** What is retained has no hole above `compactedThrough`, and the runs in it follow one another. */
  async #judgeRetained (lastSeq: number): Promise<void> {
    const runs: string[] = []
    for (let after = 0; after < lastSeq;) {
      const { events, compactedThrough } = await this.#get<{ events: Event[], compactedThrough: number }>(`/events?after=${after}`)
      for (const { seq, runId } of events) {
        if (seq - 1 > Math.max(after, compactedThrough)) this.#faults.push(`nothing is retained between ${after} and ${seq}, though it is compacted through ${compactedThrough}`)
        if (runs.at(-1) !== runId) runs.push(runId)
        after = seq
      }
      if (events.length === 0) break
    }
    if (new Set(runs).size !== runs.length) this.#faults.push(`runs among each other: ${runs.join(' ')}`)
  }
}
