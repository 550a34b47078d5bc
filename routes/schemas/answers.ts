/* What routes answer with, for OpenAPI: nothing is checked or left out by these, they only tell. */
import { STATUS_CODES } from 'node:http'
import Type, { type TSchema } from 'typebox'
import { type ErrorCode, runsError } from '../../lib/protocol/errors.ts'
import { AnyEvent, eventOf } from '../../lib/protocol/schemas/events.ts'
import { KeptSession, ProviderView, Run, RunningRun, Session, StartedRun } from '../../lib/protocol/schemas/sessions.ts'

/** What an answer means, where that is not what its schema describes. */
const SAYS = 'x-response-description'

const HasMore = Type.Boolean({ description: 'Whether the list goes on behind the page.' })
const Cursor = Type.Integer({ minimum: 0, description: 'The seq to follow from.' })

/** The end of a run. */
export const CompleteAnswer = { ...eventOf('complete'), [SAYS]: 'The run\'s terminal event, whatever ended it.' }

/** What became of an approval. */
export const ResolvedAnswer = { ...eventOf('permission_resolved'), [SAYS]: 'The answer is in the log.' }

/** Sessions, newest first. */
export const SessionsAnswer = Type.Object({ sessions: Type.Array(Session), hasMore: HasMore }, { description: 'A page of sessions.' })

/** The providers, in the order in which they were registered. */
export const ProvidersAnswer = Type.Object({ providers: Type.Array(ProviderView) }, { description: 'The providers.' })

/** Sessions that an agent has kept, newest first. */
export const KeptSessionsAnswer = Type.Object({ sessions: Type.Array(KeptSession) }, { description: 'Sessions that the agent has kept.' })

/** A session's runs. */
export const RunsAnswer = Type.Object({ runs: Type.Array(Run), hasMore: HasMore }, { description: 'Runs, newest first.' })

/** The running runs of all sessions. */
export const RunningRunsAnswer = Type.Object({
  runs: Type.Array(RunningRun),
  hasMore: HasMore
}, { description: 'The running runs.' })

export const StartedAnswer = Type.Object(StartedRun.properties, {
  title: 'StartedRun', description: 'The message is durable, and its run is running or waits.', headers: { location: Type.String({ description: 'The stream, from the run\'s first event on.' }) }
})

export const HistoryAnswer = Type.Object({
  events: Type.Array(AnyEvent), hasMore: Type.Boolean({ description: 'Whether there are older ones.' }), cursor: Cursor, isProcessing: Type.Boolean()
}, { title: 'HistoryPage', description: 'A page of the history, oldest first.' })

export const EventsAnswer = Type.Object({
  events: Type.Array(AnyEvent), hasMore: HasMore, lastSeq: Session.properties.lastSeq, compactedThrough: Session.properties.compactedThrough
}, { title: 'EventPage', description: 'What is retained, oldest first.' })

const Problem = Type.Object({
  statusCode: Type.Integer(),
  code: Type.String({ description: 'One of those that the answer\'s examples show; hooks of the app\'s may add their own.' }),
  error: Type.String(),
  message: Type.String({ description: 'For people.' }),
  runId: Type.Optional(Type.String({ description: 'The run that is in the way.' })),
  retryAfter: Type.Optional(Type.Integer({ description: 'Seconds after which another try makes sense.' }))
}, { title: 'Error' })

const STREAM = { 'text/event-stream': { schema: Type.String({ description: 'Frames of `data: <json>` and `id: <seq>`: `chat_subscribed`, then the events.' }) } }
const json = (schema: TSchema) => ({ 'application/json': { schema } })

/** What every route may answer: what it was sent is no request, the guard says no, answers are not taken, the store cannot serve. */
const ALWAYS: ErrorCode[] = ['INVALID_REQUEST', 'UNAUTHENTICATED', 'FORBIDDEN', 'TOO_MANY_ANSWER_BYTES', 'STORE_FAILED', 'STORE_UNAVAILABLE', 'SHUTTING_DOWN']

/** What the routes of a session may answer. */
export const SESSION_ERRORS: ErrorCode[] = ['SESSION_NOT_FOUND', 'SESSION_DELETED']

/** What routes with a body may answer. */
export const BODY_ERRORS: ErrorCode[] = ['BODY_TOO_LARGE', 'BODY_TOO_COMPLEX', 'UNSUPPORTED_MEDIA_TYPE', 'TOO_MANY_REQUEST_BYTES']

/** The `response` of a route: what it answers when all is well (null: nothing), and the codes of its errors. */
export function answers (well: Record<number, TSchema | 'stream' | null>, ...errors: ErrorCode[]): Record<number, unknown> {
  return { ...Object.fromEntries(Object.entries(well).map(([status, answer]) => [status, success(answer)])), ...refusals([...ALWAYS, ...errors]) }
}

function success (answer: TSchema | 'stream' | null): object {
  if (answer === null) return { type: 'null', description: 'Nothing.' }
  if (answer === 'stream') return { description: 'A stream.', content: STREAM }
  const { headers, [SAYS]: says, ...schema } = answer as TSchema & { type?: string, description?: string, headers?: Record<string, TSchema>, [SAYS]?: string }
  const description = says ?? schema.description ?? 'Done.'
  return schema.type === 'null' ? { type: 'null', description } : { description, ...(headers !== undefined && { headers }), content: json(schema) }
}

/** Errors by their status, each with an example of every code. */
export function refusals (codes: ErrorCode[]): Record<number, object> {
  const answers: Record<number, { description: string, content: { 'application/json': { schema: TSchema, examples: Record<string, object> } } }> = {}
  for (const code of codes) {
    const { statusCode, message, retryAfter } = runsError(code)
    const answer = answers[statusCode] ??= { description: '', content: { 'application/json': { schema: Problem, examples: {} } } }
    answer.description += `${answer.description && ', '}\`${code}\``
    answer.content['application/json'].examples[code] = { value: { statusCode, code, error: STATUS_CODES[statusCode], message: message.replaceAll('%s', '…'), retryAfter } }
  }
  return answers
}
