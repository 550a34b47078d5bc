/* The provider contract: what an agent's adapter receives, yields, and may throw. */
import type { TSchema } from 'typebox'
import type { Logger } from '../common/logger.ts'
import type { Event, EventKind } from '../protocol/event.ts'
import type { Metadata } from '../protocol/session.ts'
import type { Abilities, EventKinds, KeptSession, MessageContent, PermissionDecision, PermissionRequest, RunError } from '../protocol/words.ts'

/** What a provider may leave out is filled in by the run. */
interface ProviderFields {
  text: { messageId?: string, content: string }
  stream_delta: { messageId?: string, content: string }
  stream_end: { messageId?: string }
  thinking: { messageId?: string, content: string }
  thinking_delta: { messageId?: string, content: string }
}

/** The run itself makes these. */
type RunKind = 'complete' | 'permission_request' | 'permission_resolved' | 'permission_cancelled'
type ProviderKind = Exclude<EventKind, RunKind>

/**
 * What a provider yields: the kinds of `EventKinds`, and two of its own. `session_created` is never stored or sent: it
 * maps our session to the agent's. `complete` ends the run and says how; without it, returning is success and throwing
 * is failure.
 */
export type ProviderEvent =
  | { [K in ProviderKind]: { kind: K } & (K extends keyof ProviderFields ? ProviderFields[K] : EventKinds[K]) }[ProviderKind]
  | { kind: 'session_created', newSessionId: string }
  | { kind: 'complete', exitCode?: number, usage?: Record<string, unknown>, error?: RunError }

/** What a provider knows of the run it executes. */
export interface RunContext {
  /** The session; `id` is the app's. */
  session: { id: string, owner: string, metadata: Metadata }
  runId: string
  content: MessageContent
  /** The client's options, valid by the provider's `optionsSchema`. */
  options: Record<string, unknown>
  /** Trusted: only in-process callers of `startRun` can set it. */
  context: unknown
  /** The agent's own id of this session, as last announced by `session_created`; null at first. */
  providerSessionId: string | null
  /** The session's durable events before this message, oldest first. */
  history (): AsyncIterable<Event>
  /** Aborted when the run ends while the provider is still at it. A listener that throws is logged, and does no more harm. */
  signal: AbortSignal
  /**
   * Asks the clients of the session for permission, and waits for as long as that takes. The answer is in the log before it
   * comes. Rejects with an `AbortError` when the run ends, with the reason of `signal` when that takes the request back,
   * and with a `ProviderError` when too many wait already or the request is too large. May be called before the first
   * event, between events and several times at once.
   */
  requestPermission (request: PermissionRequest, options?: { signal?: AbortSignal }): Promise<PermissionDecision>
  log: Logger
}

/** What a provider can do, for people who build pages. What is left out is not known. */
export type ProviderAbilities = Omit<Abilities, 'keptSessions'>

/** An adapter that runs an agent. It knows nothing of HTTP, seqs or the store. */
export interface Provider {
  /**
   * Runs the agent for one message. Returning is success, throwing is failure (exit code 1). What is thrown is logged
   * and not shown to clients, unless it is a `ProviderError`. Is called concurrently for different sessions.
   */
  run (context: RunContext): AsyncIterable<ProviderEvent>
  /** What clients may put into a message's `options`; without it they must be empty. */
  optionsSchema?: TSchema
  /** What it can do now; it may learn more of its agent in time. */
  abilities? (): ProviderAbilities
  /** Sessions that its agent has kept, newest first, at most `limit`. Throws a ProviderError if the agent cannot tell. */
  listSessions? (options: { limit: number }): Promise<KeptSession[]>
  /** Frees what the provider holds for a session. */
  endSession? (sessionId: string): Promise<void>
  /** Ends everything that still runs; called when the server closes. Idempotent. */
  close? (): Promise<void>
}

/** A failure whose code and message the client may see. Native session ids in it are replaced all the same. */
export class ProviderError extends Error {
  readonly code: string
  /** The exit code of the run; never 0. Default 1. */
  readonly exitCode: number

  constructor (message: string, { code = 'PROVIDER_FAILED', exitCode = 1, cause }: { code?: string, exitCode?: number, cause?: unknown } = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'ProviderError'
    this.code = code
    this.exitCode = exitCode === 0 ? 1 : exitCode
  }
}

/** What a client may see of what a provider threw; null if that is no `ProviderError`. Never throws, whatever was thrown. */
export function providerFailure (thrown: unknown): RunError & { exitCode: number } | null {
  try {
    if (!(thrown instanceof ProviderError)) return null
    const { code, message, exitCode } = thrown
    return { code: String(code), message: String(message), exitCode: Number.isInteger(exitCode) ? exitCode : 1 }
  } catch {
    return null
  }
}
