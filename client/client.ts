/* The client of one server: everything that the routes and the WebSocket offer. */
import type { CompleteEvent, Event } from '../lib/event.ts'
import type { MessageContent } from '../lib/message-content.ts'
import type { StartedRun } from '../lib/run-starter.ts'
import type { Metadata, PermissionDecision, RunState, SessionState } from '../lib/types.ts'
import type { ClientOptions, SubscriptionOptions } from './options.ts'
import type { StreamItem } from './stream-item.ts'
import type { Subscription } from './subscription.ts'

/** A session, as clients see it. */
export type SessionView = Omit<SessionState, 'owner'>

/** A message with what goes with it. */
export interface Message {
  content: MessageContent
  /** Default: the session's, else the server's. */
  provider?: string
  /** What becomes of it while another run is running or waits. Default: 'reject', a RUN_IN_PROGRESS. */
  onBusy?: 'reject' | 'queue' | 'interrupt'
  /** For the provider. */
  options?: Record<string, unknown>
}

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

export interface RunsClient {
  /** Starts a run. Repeated, with one key, until the server has answered: it is one run. */
  send (sessionId: string, message: MessageContent | Message, options?: CallOptions & { idempotencyKey?: string }): Promise<StartedRun>
  /** Stops a run; the running one, if none is named. Null: it waits, and its end comes in its turn. */
  abort (sessionId: string, options?: CallOptions & { runId?: string }): Promise<CompleteEvent | null>
  /** Answers an approval. */
  approve (sessionId: string, requestId: string, decision: PermissionDecision, options?: CallOptions): Promise<void>
  /** The history, by pages; the latest without `before`. */
  history (sessionId: string, options?: CallOptions & { before?: number, limit?: number }): Promise<HistoryPage>
  follow (sessionId: string, options?: SubscriptionOptions): AsyncGenerator<StreamItem>
  subscribe (sessionId: string, onItem: (item: StreamItem) => void, options?: SubscriptionOptions): Subscription
  listSessions (options?: CallOptions & { limit?: number, before?: string }): Promise<SessionView[]>
  createSession (session?: { id?: string, provider?: string, title?: string, metadata?: Metadata }, options?: CallOptions): Promise<SessionView>
  /** Null if there is none. */
  getSession (sessionId: string, options?: CallOptions): Promise<SessionView | null>
  updateSession (sessionId: string, changes: { title?: string | null, metadata?: Metadata }, options?: CallOptions): Promise<SessionView>
  /** For good. Also resolves if somebody else has deleted it. */
  deleteSession (sessionId: string, options?: CallOptions): Promise<void>
  /** Newest first. */
  listRuns (sessionId: string, options?: CallOptions & { limit?: number }): Promise<RunState[]>
  /** Ends every subscription, and the WebSocket; what is asked after it is CLOSED. */
  close (): void
}

/** The client of the plugin that is mounted at `url`, such as `https://host/api`; in a browser it may be relative. */
export function createClient (url: string | URL, options: ClientOptions = {}): RunsClient {
  throw new Error(`not yet: ${String(url)} ${String(options.transport)}`)
}
