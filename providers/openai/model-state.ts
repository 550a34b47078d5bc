/* What a service wants to see again of an answer with calls, also in later runs: kept in the log with the first call. */
import type { ModelCall } from './model-call.ts'
import type { ReasoningFields } from './reasoning.ts'

export interface ModelState {
  /** Only the model that gave it gets it back. */
  model: string
  reasoning?: ReasoningFields
  /** By the id of the call. */
  extra?: Record<string, Record<string, unknown>>
}

const FIELDS: ReadonlySet<string> = new Set(['reasoning_content', 'reasoning', 'reasoning_details'] satisfies Array<keyof ReasoningFields>)
/** In characters of JSON: an event is to hold it. What is longer is not kept. */
const MAX_STATE = 64 * 1024

/** The state to keep; undefined if there is none. */
export function stateOf (model: string, reasoning: ReasoningFields, calls: ModelCall[]): ModelState | undefined {
  const extras = calls.filter(({ extra }) => Object.keys(extra).length > 0).map(({ id, extra }) => [id, extra] as const)
  const hasReasoning = Object.keys(reasoning).length > 0
  if (!hasReasoning && extras.length === 0) return undefined
  const state = { model, ...(hasReasoning && { reasoning }), ...(extras.length > 0 && { extra: Object.fromEntries(extras) }) }
  return JSON.stringify(state).length > MAX_STATE ? undefined : state
}

/** The state that a log has for this model. The log may have it from anyone. */
export function stateFor (model: string, kept: unknown): ModelState | undefined {
  const state = kept as Partial<ModelState> | null | undefined
  if (typeof state !== 'object' || state?.model !== model) return undefined
  const reasoning = Object.fromEntries(Object.entries(state.reasoning ?? {}).filter(([field]) => FIELDS.has(field)))
  return { ...state as ModelState, reasoning }
}
