/* Whether anything comes: a connection is given up when it is silent for too long, or is not wanted any more. */
import { RunsClientError } from './errors.ts'
import { LinkedAbort } from './linked-abort.ts'

/** Three heartbeats of the server. */
export const IDLE_TIMEOUT_MS = 45_000

export class Watch {
  readonly #idleTimeoutMs: number
  readonly #connection: LinkedAbort
  #since = Date.now()

  /** Lasts until `end`, or until `wanted` aborts. */
  constructor (wanted: AbortSignal, idleTimeoutMs = IDLE_TIMEOUT_MS) {
    this.#idleTimeoutMs = idleTimeoutMs
    this.#connection = new LinkedAbort(wanted)
  }

  /** For how long it has waited for what it waits for now, in ms, by the clock on the wall: that goes on while a computer sleeps. */
  get silentMs (): number {
    return Date.now() - this.#since
  }

  /** Aborts when the connection is to be closed. */
  get signal (): AbortSignal {
    return this.#connection.signal
  }

  /** What `coming` brings, if it does so in time; else closes the connection, and does not wait for it. Throws NETWORK, or whatever RunsClientError it is. */
  async over<T> (coming: Promise<T>): Promise<T> {
    let reason = 'The connection is lost.'
    const { signal } = this
    this.#since = Date.now()
    let lost = (): void => {}
    const timer = setTimeout(() => {
      reason = `Nothing came for ${this.#idleTimeoutMs} ms.`
      this.#connection.abort()
    }, this.#idleTimeoutMs)
    try {
      return await Promise.race([coming, new Promise<never>((_resolve, reject) => {
        lost = () => reject(signal.reason as Error)
        if (signal.aborted) lost()
        signal.addEventListener('abort', lost)
      })])
    } catch (cause) {
      throw cause instanceof RunsClientError ? cause : new RunsClientError('NETWORK', reason, { cause })
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', lost)
    }
  }

  /** Closes the connection. */
  end (): void {
    this.#connection.unlink()
    this.#connection.abort()
  }
}
