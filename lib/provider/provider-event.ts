/* What a provider yields, checked: adapters are often plain JavaScript or a CLI's JSON lines. */
import { FRAME_KINDS } from '../protocol/frames.ts'

/** A yielded event that is fit for the log: its kind, and its fields without any of our envelope. */
export interface CheckedEvent {
  kind: string
  fields: Record<string, unknown>
}

/** Kinds that only the run makes; a provider asks for them by other means. */
const RUN_KINDS = new Set(['permission_request', 'permission_resolved', 'permission_cancelled'])

const aString = (field: unknown): boolean => typeof field === 'string'
const anObject = (field: unknown): boolean => typeof field === 'object' && field !== null

/** Fields that clients of a kind rely on. */
const REQUIRED: Record<string, Record<string, (field: unknown) => boolean>> = {
  text: { content: aString },
  thinking: { content: aString },
  stream_delta: { content: aString },
  thinking_delta: { content: aString },
  tool_use: { toolId: aString, toolName: aString },
  tool_update: { toolId: aString, status: aString },
  tool_result: { toolId: aString, toolResult: anObject },
  plan: { entries: Array.isArray },
  status: { text: aString },
  error: { code: aString, message: aString },
  custom: { name: aString },
  session_created: { newSessionId: aString }
}

/** The event in `value`, or, as a string, why it is none. */
export function checkProviderEvent (value: unknown): CheckedEvent | string {
  if (typeof value !== 'object' || value === null) return 'not an object'
  // `toJSON` is left out as JSON.stringify would call it and splice in whatever it returns.
  const { kind, sessionId, runId, seq, provider, timestamp, toJSON, ...fields } = value as Record<string, unknown>
  if (typeof kind !== 'string' || kind === '') return 'no kind'
  if (FRAME_KINDS.has(kind) || RUN_KINDS.has(kind)) return `"${kind}" is not a provider's to send`
  const required = Object.hasOwn(REQUIRED, kind) ? REQUIRED[kind]! : {}
  for (const [name, fits] of Object.entries(required)) {
    if (!fits(fields[name])) return `"${kind}" without a proper "${name}"`
  }
  const messageId = fields['messageId']
  if (messageId !== undefined && typeof messageId !== 'string') return `"${kind}" with a messageId that is not a string`
  return { kind, fields }
}
