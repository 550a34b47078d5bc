/* A session followed over one connection after the other. */
import { BackOff, HOLDS_MS } from './back-off.ts'
import { RunsClientError } from './errors.ts'
import { isObject } from './known-frame.ts'
import { LinkedAbort } from './linked-abort.ts'
import type { ConnectionState, RetryOptions, SubscriptionOptions } from './options.ts'
import { isPassing } from './passing-errors.ts'
import { pause } from './pause.ts'
import type { Reached } from './reached.ts'
import { Reading } from './reading.ts'
import type { StreamItem } from './stream-item.ts'

/** What one connection is to bring, and whom it tells what is no frame. */
export interface Attempt {
  /** After what to read: it moves with what is taken. */
  readonly cursor: number | 'latest'
  /** Whether nothing is wanted behind the `complete` that is next. */
  readonly untilComplete: boolean
  /** Nobody takes anything any more. */
  readonly signal: AbortSignal
  /** The server wants the first wait to be so long. */
  suggest (retryMs: unknown): void
  /** The server says that there is nothing more, and will not be. */
  over (): void
  /** This connection may be dead: it is replaced at once. */
  again (): void
}

/** What is wanted, and how often it is tried. */
export type FollowingOptions = SubscriptionOptions & {
  retry?: RetryOptions | undefined
  /** Is given what replaces the connection, or ends the wait for the next. */
  control?: ((reconnect: () => void) => void) | undefined
  /** Of the client, if there is one. */
  reached?: Reached | undefined
}

/** Why a connection is left that another one replaces at once. */
export const AGAIN = new RunsClientError('NETWORK', 'The connection is replaced.')

/** Connects, and yields what comes, parsed, for as long as the connection lasts. Throws RunsClientError. */
export type Connect = (attempt: Attempt) => AsyncIterable<unknown>

/**
 * Everything after a cursor, over connections that are made anew when they are lost, until `signal` or `closed` aborts. Reads no
 * further than it is asked to. Throws a RunsClientError if there is no use in coming back, and INVALID_CURSOR at once.
 */
export function followLog (connect: Connect, options: FollowingOptions, closed?: AbortSignal): AsyncGenerator<StreamItem> {
  const reading = new Reading(options)
  const stop = new AbortController()
  async function * items (): AsyncGenerator<StreamItem> {
    const linked = new LinkedAbort(stop.signal, options.signal, closed)
    try {
      yield * new Following(connect, reading, options, linked.signal).items()
    } finally {
      linked.unlink()
      linked.abort()
    }
  }
  const generator = items()
  const finish = generator.return.bind(generator)
  // A generator that waits for its next item would only end with that.
  generator.return = (value) => {
    stop.abort()
    return finish(value)
  }
  return generator
}

class Following {
  readonly #connect: Connect
  readonly #options: FollowingOptions
  readonly #signal: AbortSignal
  readonly #reading: Reading
  readonly #backOff: BackOff
  #state: ConnectionState['status'] | null = null
  /** Whether a frame ever came. */
  #worked = false
  /** The highest seq that ever came. Reading a log from its beginning again is no progress. */
  #furthest = 0
  /** When this connection brought its first frame, by `performance.now`; null before. */
  #since: number | null = null
  /** The cursor behind which something was missing. */
  #hole: number | 'latest' | null = null
  #over = false
  /** Of this connection, or of the wait for the next. */
  #current: LinkedAbort | null = null
  #isAgain = false

  constructor (connect: Connect, reading: Reading, options: FollowingOptions, signal: AbortSignal) {
    this.#connect = connect
    this.#options = options
    this.#signal = signal
    this.#reading = reading
    this.#backOff = new BackOff(options.retry)
    options.control?.(() => this.#again())
  }

  async * items (): AsyncGenerator<StreamItem> {
    let error: RunsClientError | null = null
    try {
      while (!this.#isOver()) {
        this.#tell({ status: 'connecting', attempt: this.#backOff.failures })
        try {
          yield * this.#connection()
          if (!this.#isOver()) await this.#wait(new RunsClientError('NETWORK', 'The server has ended the stream.'))
        } catch (reason) {
          if (this.#isOver()) return
          if (!(reason instanceof RunsClientError)) throw reason
          await this.#wait(reason)
        }
      }
    } catch (reason) {
      if (reason instanceof RunsClientError) error = reason
      throw reason
    } finally {
      this.#current?.unlink()
      this.#tell({ status: 'closed', error })
    }
  }

  /** What one connection brings that is new. */
  async * #connection (): AsyncGenerator<StreamItem> {
    const reading = this.#reading
    this.#since = null
    const current = this.#begin()
    const attempt: Attempt = {
      get cursor () { return reading.cursor },
      untilComplete: this.#options.until === 'complete',
      signal: current.signal,
      suggest: (retryMs) => this.#backOff.suggest(retryMs),
      over: () => { this.#over = true },
      again: () => { if (this.#current === current) this.#again() }
    }
    for await (const frame of this.#connect(attempt)) {
      if (this.#isAgain) return
      if (isClosing(frame)) {
        this.#backOff.suggest(frame.retryMs)
        return
      }
      const item = reading.take(frame)
      this.#worked = true
      if (this.#since === null) this.#options.reached?.tell()
      this.#since ??= performance.now()
      if (item !== null) {
        this.#noteProgress(item)
        this.#tellProgress(item)
        yield item
      }
      if (this.#isOver()) return
    }
  }

  /** A connection, or a wait, begins; the one before it is over. */
  #begin (): LinkedAbort {
    this.#current?.unlink()
    this.#isAgain = false
    this.#current = new LinkedAbort(this.#signal)
    return this.#current
  }

  #again (): void {
    this.#isAgain = true
    this.#current?.abort(AGAIN)
  }

  #isOver (): boolean {
    return this.#over || this.#reading.isOver || this.#signal.aborted
  }

  /** Only a new event makes waits short again: a server may send `chat_subscribed` on each connection and close it. */
  #noteProgress (item: StreamItem): void {
    if (!('seq' in item) || item.seq <= this.#furthest) return
    this.#furthest = item.seq
    this.#backOff.succeeded()
  }

  /** Waits until it is time to come back; throws `error` if there is no use in that. */
  async #wait (error: RunsClientError): Promise<void> {
    if (this.#isAgain) return
    if (!this.#isPassing(error)) throw error
    if (this.#since !== null && performance.now() - this.#since >= HOLDS_MS) this.#backOff.succeeded()
    const delayMs = this.#backOff.failed((error.retryAfter ?? 0) * 1_000)
    if (delayMs === null) throw error
    this.#tell({ status: 'waiting', error, attempt: this.#backOff.failures, delayMs })
    await pause(delayMs, this.#begin().signal, this.#options.reached)
  }

  #isPassing (error: RunsClientError): boolean {
    if (error.code !== 'HOLE') return isPassing(error, this.#worked)
    // What was compacted on the way is named by the next connection; what nobody names then is lost.
    const isAgain = this.#hole === this.#reading.cursor
    this.#hole = this.#reading.cursor
    return !isAgain
  }

  #tellProgress (item: StreamItem): void {
    const { cursor, lastSeq } = this.#reading
    if (cursor === 'latest') return
    if (cursor >= lastSeq) this.#tell({ status: 'live' })
    else if (item.kind === 'chat_subscribed') this.#tell({ status: 'replaying', cursor, lastSeq })
  }

  #tell (state: ConnectionState): void {
    if (state.status === 'live' && this.#state === 'live') return
    this.#state = state.status
    this.#options.onState?.(state)
  }
}

/** Whether the server says that it closes. */
function isClosing (frame: unknown): frame is { retryMs: unknown } {
  return isObject(frame) && frame['kind'] === 'stream_closing'
}
