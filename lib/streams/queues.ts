/* What waits in the sessions that are followed here: read when it may have changed, once however many follow. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../common/logger.ts'
import { hasCode } from '../protocol/errors.ts'
import type { Store } from '../store/store.ts'
import type { Channel } from './channel.ts'

/** How long to wait before a read that failed is made again, in ms. */
const RETRY_MS = 1_000

export class Queues {
  readonly #store: Pick<Store, 'getSession'>
  readonly #log: Logger
  readonly #closed = new AbortController()
  readonly #isFollowed: (channel: Channel) => boolean
  /** Those that are being read, and whether they may have changed since. */
  readonly #reading = new Map<Channel, { again: boolean }>()

  /** `isFollowed`: of a channel that nobody follows any more nothing is read. */
  constructor (store: Pick<Store, 'getSession'>, log: Logger, isFollowed: (channel: Channel) => boolean) {
    this.#store = store
    this.#log = log
    this.#isFollowed = isFollowed
  }

  /** The queue of a session may have changed: its followers are told how it stands. */
  changed (channel: Channel): void {
    const reading = this.#reading.get(channel)
    if (reading === undefined) void this.#read(channel)
    else reading.again = true
  }

  /** Reads nothing more. */
  close (): void {
    this.#closed.abort()
  }

  /** A run of the session has begun, which may have waited. */
  moved (channel: Channel): void {
    if (channel.hasQueue || this.#reading.has(channel)) this.changed(channel)
  }

  async #read (channel: Channel): Promise<void> {
    const reading = { again: true }
    this.#reading.set(channel, reading)
    while (reading.again && !this.#closed.signal.aborted && this.#isFollowed(channel)) {
      reading.again = false
      const read = channel.beginQueueRead()
      try {
        const session = await this.#store.getSession(channel.sessionId, null)
        if (session !== null) channel.showQueue(session.waiting, read)
      } catch (error) {
        // Of a deletion its followers are told.
        if (hasCode(error, 'SESSION_DELETED')) break
        this.#log.warn({ err: error, sessionId: channel.sessionId }, 'what waits could not be read; it is read again')
        reading.again = true
        await delay(RETRY_MS, undefined, { ref: false, signal: this.#closed.signal }).catch(() => {})
      }
    }
    this.#reading.delete(channel)
  }
}
