/*
 * The vocabulary. Code and documents use these words and no synonyms.
 *
 * Session      one conversation with a stable id that the app knows; owns one event log
 * Message      what a client posts into a session; it starts a run
 * Run          one execution of a provider for one message
 * Event        a record in a session's log with a kind and a seq (event.ts)
 * seq          integer from 1, contiguous per session, never reused; the SSE id
 * cursor       the last seq that a client holds; reading is always after it, exclusive; 0 = from the beginning
 * Provider     an adapter that runs an agent (provider.ts)
 * Registry     the object decorated as `fastify.runs` (registry.ts)
 * Store        where sessions, runs and events are durable (store.ts)
 * Channel      one process's live view of one session (channel.ts)
 * Subscriber   one connected client at a cursor (subscriber.ts)
 */

import type { EventOf } from './event.ts'

/** The owner of everything when the app does not say who its users are. */
export const ANONYMOUS = ''

/** Whose session is asked for; null asks on behalf of the app itself, to which all sessions belong. */
export type Owner = string | null

/**
 * Session ids that clients may choose: unreserved URL characters, starting with a letter or digit; at most 100 of them, as
 * that is how long Fastify lets a path parameter be.
 */
export const SESSION_ID_PATTERN = '^[A-Za-z0-9][A-Za-z0-9._~-]{0,99}$'

/** JSON that the app keeps with a session; never interpreted. */
export type Metadata = Record<string, unknown>

/** One of the answers that a provider offers to whoever decides. */
export interface PermissionOption {
  optionId: string
  /** For people. */
  name: string
  kind?: 'allow_once' | 'allow_always' | 'reject_once' | 'reject_always'
}

/** What a provider asks leave for. */
export interface PermissionRequest {
  /** The tool call that waits for it. */
  toolId?: string
  toolName: string
  /** What the tool would get. */
  input: unknown
  /** The answers that there are. Default: yes and no. */
  options?: PermissionOption[]
}

/** What was decided. */
export interface PermissionDecision {
  allow: boolean
  /** The option that was chosen, if the request has any. */
  optionId?: string
  /** What the tool is to get in place of what was asked; only with `allow`. */
  updatedInput?: unknown
  /** Words for the agent. */
  message?: string
}

/** A session as the app stored it. Times are ISO 8601 in UTC. */
export interface Session {
  id: string
  /** Whose session it is; `ANONYMOUS` when the app has no `identify`. */
  owner: string
  /** The provider of messages that name none; null = the default provider. */
  provider: string | null
  title: string | null
  metadata: Metadata
  createdAt: string
  updatedAt: string
}

/** A session with the state of its log, all from one snapshot of the store. */
export interface SessionState extends Session {
  /** True while a run is running or waits. */
  isProcessing: boolean
  /** The running run, else null. */
  runId: string | null
  /** The runs that wait, next first. */
  queue: string[]
  /** The seq of the newest event; 0 = none yet. */
  lastSeq: number
  /** Seqs at or below this may have holes (transient events gone, durable ones there); above it never. */
  compactedThrough: number
  /** The requests in the log that are neither resolved nor cancelled there, oldest first, as far as they take 256 KiB together. */
  pendingPermissions: Array<EventOf<'permission_request'>>
  /** The ids of those that follow; what they ask for is in the log. */
  morePendingPermissions: string[]
}

/** Why a run ended. */
export type CompleteReason = 'finished' | 'failed' | 'aborted' | 'interrupted' | 'timeout'

/** What went wrong, in words that may be shown to the client. */
export interface RunError {
  code: string
  message: string
}

/** How a run ended; the fields of its `complete` event. */
export interface RunEnding {
  /** 0, the process's own exit code, else 1. */
  exitCode: number
  /** True only for a run that was stopped on request. */
  aborted: boolean
  reason: CompleteReason
  usage?: Record<string, unknown>
  error?: RunError
}

/** One execution of a provider for one message. */
export interface RunState {
  runId: string
  sessionId: string
  provider: string
  /** A queued run waits for the session's other runs, or for one of the process's slots. */
  status: 'queued' | 'running' | 'completed'
  /** The seq before the run's first event; while it waits, one from which nothing of it will be missed. */
  cursor: number
  /** The seq of its `complete`; null before. */
  completeSeq: number | null
  /** When its message was accepted. */
  createdAt: string
  /** Null while it waits. */
  startedAt: string | null
  completedAt: string | null
  exitCode: number | null
  success: boolean | null
  /** Already true of a run that waits but will not run: its `complete` comes in its turn. */
  aborted: boolean | null
  reason: CompleteReason | null
}

/** A running run, as listed. */
export interface RunningRun {
  runId: string
  sessionId: string
  provider: string
  startedAt: string
  /** The seq of the session's newest event. */
  lastSeq: number
}
