/* What waits in the sessions that are followed here: read when it may have changed, once however many follow. */
import type { Logger } from '../common/logger.ts'
import { hasCode } from '../protocol/errors.ts'
import type { Store } from '../store/store.ts'
import type { Channel } from './channel.ts'

export class Queues {
  readonly #store: Pick<Store, 'getSession'>
  readonly #log: Logger
  /** Those that are being read, and whether they may have changed since. */
  readonly #reading = new Map<Channel, { again: boolean }>()

  constructor (store: Pick<Store, 'getSession'>, log: Logger) {
    this.#store = store
    this.#log = log
  }

  /** The queue of a session may have changed: its followers are told how it stands. */
  changed (channel: Channel): void {
    const reading = this.#reading.get(channel)
    if (reading === undefined) void this.#read(channel)
    else reading.again = true
  }

  /** A run of the session has begun, which may have waited. */
  moved (channel: Channel): void {
    if (channel.hasQueue || this.#reading.has(channel)) this.changed(channel)
  }

  async #read (channel: Channel): Promise<void> {
    const reading = { again: true }
    this.#reading.set(channel, reading)
    try {
      while (reading.again) {
        reading.again = false
        const read = channel.beginQueueRead()
        const session = await this.#store.getSession(channel.sessionId, null)
        if (session !== null) channel.showQueue(session.waiting, read)
      }
    } catch (error) {
      // Of a deleted session its followers are told; a store that is away says so elsewhere too.
      if (!hasCode(error, 'SESSION_DELETED')) this.#log.warn({ err: error, sessionId: channel.sessionId }, 'what waits could not be read; the next change tells it')
    } finally {
      this.#reading.delete(channel)
    }
  }
}
