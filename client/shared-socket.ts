/* The one WebSocket of a client: opened while it is needed, reopened with a back-off. */
import { BackOff, HOLDS_MS } from './back-off.ts'
import { MAX_RESPONSE_BYTES } from './bounds.ts'
import { RunsClientError } from './errors.ts'
import { httpError } from './http-error.ts'
import { LinkedAbort } from './linked-abort.ts'
import type { ClientOptions, WebSocketConstructor } from './options.ts'
import { pause } from './pause.ts'
import type { Reached } from './reached.ts'
import { requestHeaders } from './request-headers.ts'
import { resolvedUrl } from './resolved-url.ts'
import { SocketConnection } from './socket-connection.ts'
import { IDLE_TIMEOUT_MS, Watch } from './watch.ts'

/** The socket, for a while. */
export interface Lease {
  readonly connection: SocketConnection
  /** Idempotent. */
  release: () => void
}

/** A socket that is open, or will be. */
interface Current {
  opening: Promise<SocketConnection>
  /** Nobody needs it any more. */
  stop: AbortController
}

export class SharedSocket {
  readonly #options: ClientOptions
  readonly #defaultUrl: URL
  readonly #WebSocket: WebSocketConstructor
  readonly #backOff: BackOff
  readonly #reached: Reached
  #current: Current | null = null
  #users = 0
  /** When the next may be tried, after one that could not be opened, or was lost; by `performance.now`. */
  #notBefore = 0

  /** Throws TypeError if there is no WebSocket. */
  constructor (defaultUrl: URL, options: ClientOptions, reached: Reached) {
    const WebSocket = options.WebSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket
    if (WebSocket === undefined) throw new TypeError('There is no global WebSocket (Node has one from 22 on): give one as the option "WebSocket", such as that of the package ws.')
    this.#WebSocket = WebSocket
    this.#options = options
    this.#reached = reached
    this.#defaultUrl = defaultUrl
    this.#backOff = new BackOff({ ...options.retry, attempts: Infinity })
  }

  /**
   * The socket, open; given back by `release`, or when `signal` aborts. The last one to give it back closes it. Rejects with a
   * RunsClientError if there is none.
   */
  async acquire (signal: AbortSignal): Promise<Lease> {
    this.#users++
    const wanted = new LinkedAbort(signal)
    // Once: by the first caller.
    wanted.signal.addEventListener('abort', () => this.#release())
    const release = (): void => {
      wanted.unlink()
      wanted.abort()
    }
    try {
      return { connection: await Promise.race([(this.#current ??= this.#open()).opening, unwanted(wanted.signal)]), release }
    } catch (error) {
      release()
      throw error
    }
  }

  #release (): void {
    if (--this.#users > 0) return
    this.#current?.stop.abort()
    this.#current = null
  }

  #open (): Current {
    const stop = new AbortController()
    // The next caller gets another.
    const over = (): void => { if (this.#current === current) this.#current = null }
    const current: Current = { stop, opening: this.#connect(stop.signal, over) }
    return current
  }

  async #connect (stop: AbortSignal, over: () => void): Promise<SocketConnection> {
    const { idleTimeoutMs = IDLE_TIMEOUT_MS, maxResponseBytes = MAX_RESPONSE_BYTES } = this.#options
    const watch = new Watch(stop, idleTimeoutMs)
    try {
      await pause(this.#notBefore - performance.now(), stop, this.#reached)
      const url = await watch.over(this.#url())
      const connection = new SocketConnection({
        WebSocket: this.#WebSocket,
        url: url.href,
        idleTimeoutMs,
        maxResponseBytes,
        served: () => this.#backOff.succeeded(),
        ended: (heldMs) => {
          if (heldMs !== null && heldMs >= HOLDS_MS) this.#backOff.succeeded()
          // One that was never open is counted below.
          if (heldMs !== null) this.#failed()
          over()
        }
      })
      stop.addEventListener('abort', () => connection.close(), { once: true })
      await watch.over(connection.opened)
      return connection
    } catch (error) {
      // That nobody needs it any more says nothing about the next.
      if (stop.aborted) throw error
      this.#failed()
      const reason = await this.#refusal(watch).catch(() => null)
      over()
      throw reason ?? error
    } finally {
      watch.end()
    }
  }

  #failed (): void {
    this.#notBefore = performance.now() + this.#backOff.failed()!
  }

  async #url (): Promise<URL> {
    const { socketUrl } = this.#options
    const url = socketUrl === undefined ? new URL(this.#defaultUrl) : resolvedUrl(await socketUrl())
    url.protocol = url.protocol.replace('http', 'ws')
    return url
  }

  /** Why there is no socket: it cannot say so itself, but the route can be asked. Null if it does not know either. */
  async #refusal (watch: Watch): Promise<RunsClientError | null> {
    const { credentials, fetch = globalThis.fetch } = this.#options
    const headers = await watch.over(requestHeaders(this.#options, { accept: 'application/json' }))
    const response = await watch.over(fetch(this.#defaultUrl, { headers, signal: watch.signal, ...(credentials !== undefined && { credentials }) }))
    const error = await watch.over(httpError(response))
    return error.code === 'HTTP_ERROR' || error.code === 'UPGRADE_REQUIRED' ? null : error
  }
}

function unwanted (signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const end = (): void => reject(new RunsClientError('CLOSED', 'Nobody needs the WebSocket any more.'))
    if (signal.aborted) end()
    signal.addEventListener('abort', end)
  })
}
