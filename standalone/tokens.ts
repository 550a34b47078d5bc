/* Whose token is whose; tokens are kept and compared as hashes. */
import { createHash } from 'node:crypto'
import Type from 'typebox'
import { Value } from 'typebox/value'
import { UsageError } from './flags.ts'

const TIME = '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d(:\\d\\d(\\.\\d+)?)?(Z|[+-]\\d\\d:\\d\\d)$'

const TOKENS = Type.Array(Type.Object({
  // What fits a header, and a cookie of any browser.
  token: Type.String({ minLength: 16, maxLength: 1_024, pattern: '^[!-~]*$' }),
  owner: Type.String({ minLength: 1 }),
  expiresAt: Type.Optional(Type.String({ pattern: TIME }))
}, { additionalProperties: false }), { minItems: 1 })

/** What the rules of `TOKENS` mean. */
const RULES: Record<string, string> = {
  token: '"token" must be a string of 16 to 1,024 visible ASCII characters.',
  owner: '"owner" must be a string that is not empty.',
  expiresAt: '"expiresAt" must be a time with its zone, such as "2027-01-01T00:00:00Z".'
}

/** Who came with a token. */
export interface TokenIdentity {
  owner: string
  /** In ms since 1970; null = never. */
  expiresAt: number | null
  /** Aborted when the token is taken from its owner, or is to expire earlier. */
  signal: AbortSignal
}

interface Grant {
  owner: string
  expiresAt: number | null
  /** Goes on to the grant that replaces this one, if that gives as much. */
  controller: AbortController
}

export class Tokens {
  /** By the hashes of the tokens. */
  readonly #grants: ReadonlyMap<string, Grant>

  constructor (grants: ReadonlyMap<string, Grant>) {
    this.#grants = grants
  }

  get size (): number {
    return this.#grants.size
  }

  /** Who has that token now; null if nobody has. Takes as long for a token that is nearly right as for any other. */
  identify (token: string): TokenIdentity | null {
    const grant = this.#grants.get(hash(token))
    if (grant === undefined || endOf(grant) <= Date.now()) return null
    const { owner, expiresAt, controller: { signal } } = grant
    return { owner, expiresAt, signal }
  }

  /** Takes the place of `former` tokens: ends the identities that are not among these, or not for as long. */
  replace (former: Tokens): void {
    for (const [key, grant] of former.#grants) {
      const next = this.#grants.get(key)
      if (next?.owner === grant.owner && endOf(next) >= endOf(grant)) next.controller = grant.controller
      else grant.controller.abort()
    }
  }
}

/** The tokens in a text of JSON. Throws UsageError, which says what is wrong but quotes nothing: a token may stand anywhere. */
export function parseTokens (text: string): Tokens {
  const grants = new Map<string, Grant>()
  for (const [index, { token, owner, expiresAt }] of parse(text).entries()) {
    const time = expiresAt === undefined ? null : Date.parse(expiresAt)
    if (Number.isNaN(time)) throw new UsageError(`entry ${index + 1}: ${RULES['expiresAt']!}`)
    const key = hash(token)
    if (grants.has(key)) throw new UsageError(`entry ${index + 1} has the same token as entry ${[...grants.keys()].indexOf(key) + 1}.`)
    grants.set(key, { owner, expiresAt: time, controller: new AbortController() })
  }
  return new Tokens(grants)
}

function parse (text: string): Type.Static<typeof TOKENS> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new UsageError('the file is not JSON.')
  }
  if (Value.Check(TOKENS, value)) return value
  const { instancePath, keyword, params } = Value.Errors(TOKENS, value).find((error) => error.keyword !== 'boolean')!
  const [, index, property] = instancePath.split('/')
  if (index === undefined) throw new UsageError('the file must hold an array of at least one { "token", "owner", "expiresAt"? }.')
  const problem = property !== undefined
    ? `: ${RULES[property]!}`
    : keyword === 'additionalProperties'
      ? ' may have "token", "owner" and "expiresAt", and nothing else.'
      : keyword === 'required' ? `: ${RULES[(params).requiredProperties[0]!]!}` : ' must be an object.'
  throw new UsageError(`entry ${Number(index) + 1}${problem}`)
}

function endOf ({ expiresAt }: Grant): number {
  return expiresAt ?? Infinity
}

function hash (token: string): string {
  return createHash('sha256').update(token).digest('base64')
}
