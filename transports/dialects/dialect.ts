/* What a dialect is: the protocol of somebody else's client, spoken over the log of a run. */
import type { Static, TSchema } from 'typebox'
import type { Event, EventOf } from '../../lib/protocol/event.ts'
import type { ClosingFrame, DeletedFrame, PermissionDecision } from '../../lib/protocol/words.ts'
import type { StartRunRequest } from '../../lib/runs/run-starter.ts'

/** What a client of a dialect has posted, in our words. */
export type DialectRequest = { sessionId: string } & (
  /** A message. With a `messageId` or an `idempotencyKey` the same post attaches to the run that it has started. */
  | { message: Pick<StartRunRequest, 'content' | 'provider' | 'options' | 'onBusy' | 'idempotencyKey' | 'messageId'> }
  /** Answers to approvals for which a stream was paused; at least one, all of one run. */
  | { answers: Array<PermissionDecision & { requestId: string }> }
)

/** The run that a stream tells, and what the client has posted (not to be kept for as long as the stream lasts); null of one that came back with a GET. */
export interface DialectStream<Body> {
  sessionId: string
  runId: string
  body: Body | null
  /** Whether an approval waited for an answer when the stream began, or was asked for since. */
  waits (request: EventOf<'permission_request'>): boolean
}

/** The voice of one stream. It learns of every event of its run, from the first one on, in order. */
export interface DialectEncoder {
  /** The frames with which the stream opens, `data: …\n\n`; they are sent at once. */
  begin (): string
  /** An event that the client has from an earlier stream, which was paused behind it: to be remembered, not told. */
  skip (event: Event): void
  /** The frames of an event; '' for none. Behind those of `complete` the stream ends. */
  encode (event: Event): string
  /** True once the stream is over, as the client has to answer an approval first, which it does by another post. */
  readonly paused: boolean
  /** The last frames of a stream that ends before its run does; without any the connection is cut instead. */
  broken (frame: ClosingFrame | DeletedFrame): string
}

/**
 * A dialect, mounted as `POST /<name>`, which answers with the stream of a run, `GET /<name>/:id/stream`, which replays the run
 * that is running from its first event (204: none is), and `GET /<name>/:id/messages`, the history, if it has a form for that.
 */
export interface Dialect<Body extends TSchema = TSchema> {
  /** Headers of its streams, beside those of every event stream. */
  readonly headers: Readonly<Record<string, string>>
  /** What a body must match. */
  readonly body: Body
  /** Reads a body that matches. Throws INVALID_REQUEST. */
  read (body: Static<Body>): DialectRequest
  /** An encoder for one stream. */
  encoder (stream: DialectStream<Static<Body>>): DialectEncoder
  /** The history as its clients keep it: the durable events of whole runs, oldest first, without those of a run that is running but for its message. */
  messages? (events: Event[]): unknown[]
}
