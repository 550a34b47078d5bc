/* What routes answer with, for OpenAPI: nothing is checked or left out by these, they only tell. */
import Type, { type TSchema } from 'typebox'

const Nullable = (schema: TSchema) => Type.Union([schema, Type.Null()])
const Time = Type.String({ format: 'date-time' })
const Seq = Type.Integer({ minimum: 0 })

/** An event: the envelope, and what its kind has beside it. */
export const EventAnswer = Type.Object({
  kind: Type.String(), sessionId: Type.String(), runId: Type.String(), seq: Seq, provider: Type.String(), timestamp: Time
}, { additionalProperties: true })

export const SessionAnswer = Type.Object({
  id: Type.String(),
  provider: Nullable(Type.String()),
  title: Nullable(Type.String()),
  metadata: Type.Record(Type.String(), Type.Unknown()),
  isProcessing: Type.Boolean({ description: 'Whether a run is running or waits.' }),
  runId: Nullable(Type.String({ description: 'The running run.' })),
  queue: Type.Array(Type.String(), { description: 'The runs that wait, next first.' }),
  lastSeq: Seq,
  compactedThrough: Seq,
  pendingPermissions: Type.Array(EventAnswer, { description: 'The `permission_request` events that wait for an answer.' }),
  createdAt: Time,
  updatedAt: Time
})

export const RunAnswer = Type.Object({
  runId: Type.String(),
  sessionId: Type.String(),
  provider: Type.String(),
  status: Type.Union([Type.Literal('queued'), Type.Literal('running'), Type.Literal('completed')]),
  cursor: Seq,
  completeSeq: Nullable(Seq),
  createdAt: Time,
  startedAt: Nullable(Time),
  completedAt: Nullable(Time),
  exitCode: Nullable(Type.Integer()),
  success: Nullable(Type.Boolean()),
  aborted: Nullable(Type.Boolean()),
  reason: Nullable(Type.String())
})

export const RunningRunAnswer = Type.Object({ runId: Type.String(), sessionId: Type.String(), provider: Type.String(), startedAt: Time, lastSeq: Seq })

export const StartedAnswer = Type.Object({ sessionId: Type.String(), runId: Type.String(), cursor: Seq, status: RunAnswer.properties.status })

export const HistoryAnswer = Type.Object({ events: Type.Array(EventAnswer), hasMore: Type.Boolean(), cursor: Seq, isProcessing: Type.Boolean() })

export const EventsAnswer = Type.Object({ events: Type.Array(EventAnswer), lastSeq: Seq, compactedThrough: Seq })

const Problem = Type.Object({
  statusCode: Type.Integer(),
  code: Type.String({ description: 'From the table of errors.' }),
  error: Type.String(),
  message: Type.String(),
  runId: Type.Optional(Type.String()),
  retryAfter: Type.Optional(Type.Integer({ description: 'Seconds.' }))
})

const STREAM = { 'text/event-stream': { schema: Type.String({ description: 'Frames of `id: <seq>` and `data: <json>`.' }) } }
const json = (schema: TSchema) => ({ 'application/json': { schema } })

/** What every route may answer: what it was sent is no request, the guard says no, the store cannot serve. */
const ALWAYS = [400, 401, 403, 500, 503]

/** The `response` of a route: what it answers when all is well (null: nothing), and the statuses of its errors. */
export function answers (well: Record<number, TSchema | 'stream' | null>, ...errors: number[]): Record<number, unknown> {
  const response: Record<number, unknown> = {}
  for (const [status, answer] of Object.entries(well)) {
    response[Number(status)] = answer === null
      ? { type: 'null', description: 'Nothing.' }
      : { description: 'Done.', content: answer === 'stream' ? STREAM : json(answer) }
  }
  for (const status of [...ALWAYS, ...errors]) response[status] = { description: 'Refused.', content: json(Problem) }
  return response
}
