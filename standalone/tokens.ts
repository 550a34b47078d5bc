/* Whose token is whose: read from a file once, and known by their hashes alone from then on. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
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

/** What the rules of `TOKENS` mean, for whoever wrote the file. */
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
}

export class Tokens {
  readonly #identities: ReadonlyMap<string, TokenIdentity>

  constructor (identities: ReadonlyMap<string, TokenIdentity>) {
    this.#identities = identities
  }

  /** Who has that token now; null if nobody has. Takes as long for a token that is nearly right as for any other. */
  identify (token: string): TokenIdentity | null {
    const identity = this.#identities.get(hash(token)) ?? null
    return identity?.expiresAt != null && identity.expiresAt <= Date.now() ? null : identity
  }
}

/** The tokens in a JSON file. Throws UsageError, which says what is wrong but never what a token is. */
export function readTokens (path: string): Tokens {
  const fail = (problem: string): never => { throw new UsageError(`--tokens is "${path}": ${problem}`) }
  const identities = new Map<string, TokenIdentity>()
  for (const [index, { token, owner, expiresAt }] of parse(read(path, fail), fail).entries()) {
    const time = expiresAt === undefined ? null : Date.parse(expiresAt)
    if (Number.isNaN(time)) fail(`entry ${index + 1}: ${RULES['expiresAt']!}`)
    const key = hash(token)
    if (identities.has(key)) fail(`entry ${index + 1} has the same token as entry ${[...identities.keys()].indexOf(key) + 1}.`)
    identities.set(key, { owner, expiresAt: time })
  }
  return new Tokens(identities)
}

function read (path: string, fail: (problem: string) => never): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    return fail(`the file cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'}).`)
  }
}

function parse (text: string, fail: (problem: string) => never): Type.Static<typeof TOKENS> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // What the parser says quotes the file.
    fail('the file is not JSON.')
  }
  if (Value.Check(TOKENS, value)) return value
  const { instancePath, keyword, params } = Value.Errors(TOKENS, value).find((error) => error.keyword !== 'boolean')!
  const [, index, property] = instancePath.split('/')
  if (index === undefined) return fail('the file must hold an array of at least one { "token", "owner", "expiresAt"? }.')
  const entry = `entry ${Number(index) + 1}`
  if (property !== undefined) return fail(`${entry}: ${RULES[property]!}`)
  if (keyword === 'additionalProperties') return fail(`${entry} has no property "${(params as { additionalProperties: string[] }).additionalProperties.join('", "')}".`)
  if (keyword === 'required') return fail(`${entry}: ${RULES[(params as { requiredProperties: string[] }).requiredProperties[0]!]!}`)
  return fail(`${entry} must be an object.`)
}

function hash (token: string): string {
  return createHash('sha256').update(token).digest('base64')
}
