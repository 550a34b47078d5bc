/* What messages are called that AG-UI has and we have not: ids must be the same in a stream and in the history. */

/** What the id of a message names; agents may number their messages and calls anew in each run. */
export type Named = 'text' | 'reasoning' | 'tool' | 'call' | 'result'

/** The id under which clients keep a message, or a call. */
export function nameOf (what: Named, runId: string, id: string): string {
  return `${what}-${runId}-${id}`
}

/** What came of a call that has no result. */
export const NO_RESULT = 'The run ended before the tool did.'

/** Any value as text. */
export function asText (value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value) ?? ''
}
