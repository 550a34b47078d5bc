/* What a provider yields, checked: adapters are often plain JavaScript or a CLI's JSON lines. */
import Type from 'typebox'
import { FRAME_KINDS } from '../protocol/frames.ts'
import { EVENTS } from '../protocol/schemas/events.ts'

/** A yielded event that is fit for the log: its kind, and its fields without any of our envelope. */
export interface CheckedEvent {
  kind: string
  fields: Record<string, unknown>
}

/** Kinds that only the run makes; a provider asks for them by other means. */
const RUN_KINDS = new Set(['permission_request', 'permission_resolved', 'permission_cancelled'])

/** The run fills these in. */
const FILLED_IN = new Set(['messageId', 'role'])

type Check = (field: unknown) => boolean

const CHECKS: Record<string, Check> = {
  string: (field) => typeof field === 'string',
  object: (field) => typeof field === 'object' && field !== null,
  array: Array.isArray
}

/** Fields that clients of a kind rely on. */
const REQUIRED = new Map<string, Array<[name: string, fits: Check]>>([
  ...Object.entries(EVENTS).map(([kind, { properties }]): [string, Array<[string, Check]>] => [kind, Object.entries(properties).flatMap(([name, schema]) => {
    // A message of an agent is text, though a user's may have parts.
    const fits = CHECKS[name === 'content' ? 'string' : (schema as { type?: string }).type ?? '']
    return fits === undefined || FILLED_IN.has(name) || Type.IsOptional(schema) ? [] : [[name, fits]]
  })]),
  // How a run ends is the run's to say: whatever the agent leaves out.
  ['complete', []],
  ['session_created', [['newSessionId', CHECKS['string']!]]]
])

/** The event in `value`, or, as a string, why it is none. */
export function checkProviderEvent (value: unknown): CheckedEvent | string {
  if (typeof value !== 'object' || value === null) return 'not an object'
  // `toJSON` is left out as JSON.stringify would call it and splice in whatever it returns.
  const { kind, sessionId, runId, seq, provider, timestamp, toJSON, ...fields } = value as Record<string, unknown>
  if (typeof kind !== 'string' || kind === '') return 'no kind'
  if (FRAME_KINDS.has(kind) || RUN_KINDS.has(kind)) return `"${kind}" is not a provider's to send`
  for (const [name, fits] of REQUIRED.get(kind) ?? []) {
    if (!fits(fields[name])) return `"${kind}" without a proper "${name}"`
  }
  const messageId = fields['messageId']
  if (messageId !== undefined && typeof messageId !== 'string') return `"${kind}" with a messageId that is not a string`
  return { kind, fields }
}
