/* What does not fit a schema, in words for its sender. */
import { MAX_PARTS } from './limits.ts'

/** Longer than any array that has a limit may be. */
const HEAD = MAX_PARTS + 1

/** A problem as schema validators report it. */
export interface SchemaProblem {
  keyword: string
  instancePath: string
  params: object
  message?: string | undefined
}

/**
 * What `errorsOf` finds wrong with a value that does not fit. Of long arrays it looks at the head first: where it goes through
 * all of them it takes half a second for thirty thousand parts of a message.
 */
export function errorsIn<Problem> (value: unknown, errorsOf: (value: unknown) => Problem[]): Problem[] {
  if (typeof value !== 'object' || value === null) return errorsOf(value)
  const heads = Object.entries(value).map(([name, member]) => [name, Array.isArray(member) ? member.slice(0, HEAD) : member] as const)
  const problems = errorsOf(Object.fromEntries(heads))
  return problems.length > 0 ? problems : errorsOf(value)
}

/** The first problem that says something: where it is, below `what`, and why. */
export function problemOf (what: string, problems: readonly SchemaProblem[]): string {
  // TypeBox reports an unknown property twice, first as a schema that is `false`.
  const problem = meant(problems.filter(({ keyword }) => keyword !== 'boolean')) ?? problems[0]
  return `${what}${problem?.instancePath ?? ''} ${problem === undefined ? 'is not valid' : whyOf(problem, problems)}`
}

/** Of a union all kinds are reported: where the value is of another kind than the first, what is wrong with it as that kind says more. */
function meant (problems: readonly SchemaProblem[]): SchemaProblem | undefined {
  const [first] = problems
  const within = first?.keyword === 'type' ? problems.find(({ keyword, instancePath }) => keyword === 'minItems' || keyword === 'maxItems' || instancePath.startsWith(`${first.instancePath}/`)) : undefined
  return within ?? first
}

function whyOf ({ keyword, instancePath, params, message = 'is not valid' }: SchemaProblem, problems: readonly SchemaProblem[]): string {
  const { additionalProperties: unknown } = params as { additionalProperties?: unknown }
  if (Array.isArray(unknown)) return `has no property "${unknown.join('", "')}"`
  if (keyword !== 'const' && keyword !== 'enum') return message
  const allowed = problems.filter((other) => other.instancePath === instancePath).flatMap(({ params }) => {
    const { allowedValue, allowedValues = allowedValue === undefined ? [] : [allowedValue] } = params as { allowedValue?: unknown, allowedValues?: unknown[] }
    return allowedValues
  })
  return `must be ${allowed.map((value) => JSON.stringify(value)).join(' or ')}`
}
