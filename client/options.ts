/* What callers may set. */
import type { RunsClientError } from './errors.ts'

/** How a subscription stands; for an indicator. */
export type ConnectionState =
  /** `attempt` counts the failures in a row before it; 0 = none. */
  | { status: 'connecting', attempt: number }
  /** Behind what the log held when the connection was made. */
  | { status: 'replaying', cursor: number, lastSeq: number }
  | { status: 'live' }
  /** The connection is lost; it is made anew after `delayMs`, as the attempt of that number. */
  | { status: 'waiting', error: RunsClientError, attempt: number, delayMs: number }
  /** `error` is why it ended, if not as it should. */
  | { status: 'closed', error: RunsClientError | null }

/** When a connection that was lost is made anew. */
export interface RetryOptions {
  /** The first wait, in ms, unless the server wants a longer one. Each failure in a row doubles it. Default: 500. */
  minMs?: number
  /** The longest wait, in ms, whatever the server suggests, unless it insists (`Retry-After`): then up to five minutes. Default: 30,000. */
  maxMs?: number
  /** How many failures in a row are forgiven. Default: any number of connections; four of a request. */
  attempts?: number
}

/** The headers of each request; a function is asked for each, so that it can give a fresh token. */
export type RequestHeaders = RequestInit['headers'] | (() => RequestInit['headers'] | Promise<RequestInit['headers']>)

/** How the server is reached. */
export interface ConnectionOptions {
  /** Default: the global one. */
  fetch?: typeof globalThis.fetch | undefined
  /** Of each HTTP request. Browsers give a WebSocket none: use a cookie, or `socketUrl`. */
  headers?: RequestHeaders
  /** As of `fetch`: whether cookies are sent to another origin. */
  credentials?: RequestInit['credentials']
  retry?: RetryOptions | undefined
  /** A connection on which no byte comes for so long is given up, in ms. Default: 45,000; the server's heartbeat is 15,000. */
  idleTimeoutMs?: number | undefined
  /** What is longer ends with RESPONSE_TOO_LARGE: one event, one message of a WebSocket, the body of one answer. Default: 16 MiB. */
  maxResponseBytes?: number | undefined
}

/** From where, and how long, a session is followed. */
export interface SubscriptionOptions {
  /** The last seq that the caller has; 0 = from the beginning; `'latest'` = only what is new. Default: 0. */
  cursor?: number | 'latest' | undefined
  /** Ends behind the `complete` of the run that is running when it opens, else of the next that waits, else of the latest, else of the first to come. */
  until?: 'complete' | undefined
  /** Ends it, without an error. */
  signal?: AbortSignal | undefined
  onState?: ((state: ConnectionState) => void) | undefined
}

/** Of one stream by its URL. */
export interface FollowOptions extends ConnectionOptions, SubscriptionOptions {}

/** What the client needs of a WebSocket: the browser's, Node's, or that of the package ws, which heeds `maxPayload`. */
export type WebSocketConstructor = new (url: string, protocols?: undefined, options?: { maxPayload: number }) => WebSocketLike

/** See `WebSocketConstructor`. */
export interface WebSocketLike {
  send (text: string): void
  close (): void
  /** Of ws: does not wait for the peer. */
  terminate?: () => void
  onopen: ((event: never) => void) | null
  onmessage: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
}

export interface ClientOptions extends ConnectionOptions {
  /**
   * Over what sessions are followed, and messages sent. The rest is HTTP either way. Default: 'sse'; but a page that has four streams of an origin over
   * HTTP/1.1, of which browsers open six connections, follows further sessions over one WebSocket, unless it needs `headers`.
   */
  transport?: 'sse' | 'websocket' | undefined
  /** Default: the global one. That of the package ws refuses a message that is too large before it is there. */
  WebSocket?: WebSocketConstructor | undefined
  /** Asked for each WebSocket, so that the URL can hold a fresh ticket. Default: `/ws` where the plugin is mounted. */
  socketUrl?: (() => string | Promise<string>) | undefined
}
