/* What does not fit a schema, in words for whoever sent it. */

/** A problem as schema validators report it. */
export interface SchemaProblem {
  keyword: string
  instancePath: string
  params: object
  message?: string | undefined
}

/** The first problem that says something: where it is, below `what`, and why. */
export function problemOf (what: string, problems: readonly SchemaProblem[]): string {
  // TypeBox reports an unknown property twice, first as a schema that is `false`.
  const problem = problems.find(({ keyword }) => keyword !== 'boolean') ?? problems[0]
  const unknown = (problem?.params as { additionalProperties?: unknown } | undefined)?.additionalProperties
  const why = Array.isArray(unknown) ? `has no property "${unknown.join('", "')}"` : problem?.message
  return `${what}${problem?.instancePath ?? ''} ${why ?? 'is not valid'}`
}
