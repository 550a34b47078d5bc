/* The client of one server: everything that the routes and the WebSocket offer. */
import type { CompleteEvent, Event } from '../lib/protocol/event.ts'
import type { Metadata, SessionState } from '../lib/protocol/session.ts'
import type { MessageContent, PermissionDecision, ProviderView, RunDetails, RunState, StartedRun } from '../lib/protocol/words.ts'
import { assertOptions } from './assert-options.ts'
import { RunsClientError } from './errors.ts'
import { followLog } from './following.ts'
import { HttpTransport } from './http-transport.ts'
import { newIdempotencyKey } from './idempotency-key.ts'
import { isEvent, isObject } from './known-frame.ts'
import type { ClientOptions, SubscriptionOptions } from './options.ts'
import { OverflowTransport } from './overflow-transport.ts'
import { Reached } from './reached.ts'
import { Requests } from './requests.ts'
import { resolvedUrl } from './resolved-url.ts'
import { assertSessionId } from './session-id.ts'
import { SharedSocket } from './shared-socket.ts'
import { SocketTransport } from './socket-transport.ts'
import type { StreamItem } from './stream-item.ts'
import { subscribeTo, type Subscription } from './subscription.ts'
import type { Message, StopTarget, Transport } from './transport.ts'

/** A session, as clients see it. */
export type SessionView = Omit<SessionState, 'owner'>

/** What each request may be given. */
export interface CallOptions {
  /** Rejects with its reason; what the server has been told stays told. */
  signal?: AbortSignal | undefined
}

/** A page of durable events, oldest first. */
export interface HistoryPage {
  events: Event[]
  hasMore: boolean
  /** From where to follow, so that nothing is missed or doubled. */
  cursor: number
  isProcessing: boolean
}

/** What a session is made of; the server chooses an id if there is none. */
export interface NewSession {
  id?: string
  provider?: string
  title?: string
  metadata?: Metadata
  /** A session that the provider's agent has kept, to go on with; where the server allows it. */
  providerSession?: { provider: string, id: string }
}

/** What is not given stays. */
export interface SessionChanges {
  title?: string | null
  metadata?: Metadata
}

/**
 * All that the routes offer. What does no harm twice is asked again when there was no answer, or one that says to come back.
 * Everything rejects with a RunsClientError, or with the reason of its `signal`.
 */
export interface RunsClient {
  /** Starts a run. Repeated, with one key, until the server has answered: it is one run. */
  send (sessionId: string, message: MessageContent | Message, options?: CallOptions & { idempotencyKey?: string }): Promise<StartedRun>
  /** Stops a run, or a message that may not have come yet; the running run, if nothing is named. Null: it waits, or has not come, and will not run. */
  abort (sessionId: string, options?: CallOptions & StopTarget): Promise<CompleteEvent | null>
  /** Answers an approval. */
  approve (sessionId: string, requestId: string, decision: PermissionDecision, options?: CallOptions): Promise<void>
  /** The history, by pages; the latest without `before`. */
  history (sessionId: string, options?: CallOptions & { before?: number, limit?: number }): Promise<HistoryPage>
  follow (sessionId: string, options?: SubscriptionOptions): AsyncGenerator<StreamItem>
  subscribe (sessionId: string, onItem: (item: StreamItem) => void, options?: SubscriptionOptions): Subscription
  listSessions (options?: CallOptions & { limit?: number, before?: string }): Promise<SessionView[]>
  /** Not repeated, as that may make two; SESSION_EXISTS if the id is taken. */
  createSession (session?: NewSession, options?: CallOptions): Promise<SessionView>
  /** Null if there is none. */
  getSession (sessionId: string, options?: CallOptions): Promise<SessionView | null>
  updateSession (sessionId: string, changes: SessionChanges, options?: CallOptions): Promise<SessionView>
  /** For good. Also resolves if somebody else has deleted it. */
  deleteSession (sessionId: string, options?: CallOptions): Promise<void>
  /** What there is to run, with what each can do and which options it takes. */
  listProviders (options?: CallOptions): Promise<ProviderView[]>
  /** Newest first. */
  listRuns (sessionId: string, options?: CallOptions & { limit?: number }): Promise<RunState[]>
  /** A run, with the message that it answers, or waits to answer. Null if there is none. */
  getRun (runId: string, options?: CallOptions): Promise<RunDetails | null>
  /** Ends every subscription, and the WebSocket; what is asked after it is CLOSED. */
  close (): void
}

/** The client of the plugin that is mounted at `url`, such as `https://host/api`; in a browser it may be relative. Throws TypeError if it is no URL, at options that cannot be, and if there is no WebSocket where one is wanted. */
export function createClient (url: string | URL, options: ClientOptions = {}): RunsClient {
  assertOptions(options)
  return new Client(resolvedUrl(url), options)
}

const TRANSPORTS: ReadonlyArray<NonNullable<ClientOptions['transport']>> = ['sse', 'websocket']

class Client implements RunsClient {
  readonly #options: ClientOptions
  readonly #closed = new AbortController()
  readonly #reached = new Reached()
  readonly #requests: Requests
  readonly #transport: Transport

  constructor (base: URL, options: ClientOptions) {
    this.#options = options
    this.#requests = new Requests(base, options, this.#closed.signal, this.#reached)
    this.#transport = this.#transportTo(base, options)
  }

  #transportTo (base: URL, options: ClientOptions): Transport {
    const { retry, transport, headers, socketUrl, WebSocket = (globalThis as { WebSocket?: unknown }).WebSocket } = options
    if (transport !== undefined && !TRANSPORTS.includes(transport)) throw new TypeError(`There is no transport "${String(transport)}": it must be ${TRANSPORTS.map((name) => `"${name}"`).join(' or ')}.`)
    const http = new HttpTransport(this.#requests, options)
    const overSocket = (): Transport => new SocketTransport({ socket: new SharedSocket(this.#requests.url(['ws']), options, this.#reached), http, retry, closed: this.#closed.signal })
    if (transport === 'websocket') return overSocket()
    // Browsers give a WebSocket no headers: one that is to carry a token has a URL of its own.
    const mayOverflow = transport === undefined && WebSocket !== undefined && (headers === undefined || socketUrl !== undefined)
    return mayOverflow ? new OverflowTransport(base, http, overSocket()) : http
  }

  async send (sessionId: string, message: MessageContent | Message, { idempotencyKey = newIdempotencyKey(), signal }: CallOptions & { idempotencyKey?: string } = {}): Promise<StartedRun> {
    assertSessionId(sessionId)
    const whole = typeof message === 'string' || Array.isArray(message) ? { content: message } : message
    return this.#transport.send(sessionId, whole, idempotencyKey, signal)
  }

  async abort (sessionId: string, { signal, ...target }: CallOptions & StopTarget = {}): Promise<CompleteEvent | null> {
    assertSessionId(sessionId)
    return this.#transport.abort(sessionId, target, signal)
  }

  async approve (sessionId: string, requestId: string, decision: PermissionDecision, { signal }: CallOptions = {}): Promise<void> {
    assertSessionId(sessionId)
    return this.#transport.approve(sessionId, requestId, decision, signal)
  }

  follow (sessionId: string, options: SubscriptionOptions = {}): AsyncGenerator<StreamItem> {
    this.#assertOpen()
    assertSessionId(sessionId)
    return followLog(this.#transport.connect(sessionId), { retry: this.#options.retry, reached: this.#reached, ...options }, this.#closed.signal)
  }

  subscribe (sessionId: string, onItem: (item: StreamItem) => void, options: SubscriptionOptions = {}): Subscription {
    return subscribeTo((all) => this.follow(sessionId, all), onItem, options)
  }

  async history (sessionId: string, { before, limit, signal }: CallOptions & { before?: number, limit?: number } = {}): Promise<HistoryPage> {
    assertSessionId(sessionId)
    const page = await this.#get<HistoryPage>(['sessions', sessionId, 'messages'], { before, limit }, signal)
    assertList(page.events, isEvent)
    return page
  }

  async listSessions ({ limit, before, signal }: CallOptions & { limit?: number, before?: string } = {}): Promise<SessionView[]> {
    return assertList((await this.#get<{ sessions: SessionView[] }>(['sessions'], { limit, before }, signal)).sessions)
  }

  async createSession (session: NewSession = {}, { signal }: CallOptions = {}): Promise<SessionView> {
    return (await this.#requests.send<SessionView>({ method: 'POST', path: ['sessions'], body: session, signal })).body
  }

  async getSession (sessionId: string, { signal }: CallOptions = {}): Promise<SessionView | null> {
    assertSessionId(sessionId)
    return this.#get<SessionView>(['sessions', sessionId], {}, signal).catch(nullFor('SESSION_NOT_FOUND'))
  }

  async updateSession (sessionId: string, changes: SessionChanges, { signal }: CallOptions = {}): Promise<SessionView> {
    assertSessionId(sessionId)
    return (await this.#requests.send<SessionView>({ method: 'PATCH', path: ['sessions', sessionId], body: changes, signal, mayRepeat: true })).body
  }

  async deleteSession (sessionId: string, { signal }: CallOptions = {}): Promise<void> {
    assertSessionId(sessionId)
    try {
      await this.#requests.send({ method: 'DELETE', path: ['sessions', sessionId], signal, mayRepeat: true })
    } catch (error) {
      // What came of it the first time may have been lost.
      if (!(error instanceof RunsClientError && error.code === 'SESSION_DELETED')) throw error
    }
  }

  async listProviders ({ signal }: CallOptions = {}): Promise<ProviderView[]> {
    return assertList((await this.#get<{ providers: ProviderView[] }>(['providers'], {}, signal)).providers)
  }

  async listRuns (sessionId: string, { limit, signal }: CallOptions & { limit?: number } = {}): Promise<RunState[]> {
    assertSessionId(sessionId)
    return assertList((await this.#get<{ runs: RunState[] }>(['sessions', sessionId, 'runs'], { limit }, signal)).runs)
  }

  async getRun (runId: string, { signal }: CallOptions = {}): Promise<RunDetails | null> {
    return this.#get<RunDetails>(['runs', runId], {}, signal).catch(nullFor('RUN_NOT_FOUND'))
  }

  close (): void {
    this.#closed.abort()
  }

  async #get<T> (path: string[], query: Record<string, string | number | undefined>, signal: AbortSignal | undefined): Promise<T> {
    return (await this.#requests.send<T>({ path, query, signal, mayRepeat: true })).body
  }

  #assertOpen (): void {
    if (this.#closed.signal.aborted) throw new RunsClientError('CLOSED', 'The client was closed.')
  }
}

/** `list`, if a server has sent one of what it should; else throws HTTP_ERROR. */
function assertList<T> (list: T[], isItem: (item: unknown) => boolean = isObject): T[] {
  if (!Array.isArray(list) || !list.every(isItem)) throw new RunsClientError('HTTP_ERROR', 'The answer is not what was asked for.', { statusCode: 200 })
  return list
}

/** Null in place of an error of that code; any other is thrown on. */
const nullFor = (code: RunsClientError['code']) => (error: unknown): null => {
  if (error instanceof RunsClientError && error.code === code) return null
  throw error
}
