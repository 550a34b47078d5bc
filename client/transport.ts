/* Over what sessions are followed and steered. */
import type { CompleteEvent } from '../lib/protocol/event.ts'
import type { MessageContent, PermissionDecision, StartedRun } from '../lib/protocol/words.ts'
import type { Connect } from './following.ts'

/** A message with what goes with it. */
export interface Message {
  content: MessageContent
  /** Your own id of the message, under which the log and every history have it. 1 to 256 characters. Default: a random one. */
  messageId?: string
  /** Default: the session's, else the server's. */
  provider?: string
  /** What becomes of it while another run is running or waits. Default: 'reject', a RUN_IN_PROGRESS. */
  onBusy?: 'reject' | 'queue' | 'interrupt'
  /** For the provider. */
  options?: Record<string, unknown>
}

/** What is to be stopped: a run, or a message that may not have come yet, by your id of it or its idempotency key; by default the running run. */
export type StopTarget = { runId?: string } | { messageId: string } | { idempotencyKey: string }

/** Whether a stop is always one of the same. */
export function namesAny (target: StopTarget): boolean {
  return Object.values(target).some((name) => name !== undefined)
}

/** What may be sent again without harm is, until there is an answer. All reject with a RunsClientError, or with the reason of `signal`. */
export interface Transport {
  /** How one session is followed. */
  connect (sessionId: string): Connect
  /** The key makes it one run, however often it is sent. */
  send (sessionId: string, message: Message, idempotencyKey: string, signal: AbortSignal | undefined): Promise<StartedRun>
  /** Null of a run that waits, or a message that has not come. If it names nothing it is sent once: by the next time another run may be running. */
  abort (sessionId: string, target: StopTarget, signal: AbortSignal | undefined): Promise<CompleteEvent | null>
  /** Sent again it changes nothing, and is answered the same. */
  approve (sessionId: string, requestId: string, decision: PermissionDecision, signal: AbortSignal | undefined): Promise<void>
}
