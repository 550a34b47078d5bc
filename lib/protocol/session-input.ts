/* What callers say of sessions, checked. */
import { runsError } from './errors.ts'
import { MAX_DEPTH, toJson } from './json.ts'
import { MAX_METADATA_BYTES, MAX_TITLE_LENGTH } from './limits.ts'
import { type Metadata, type Owner, SESSION_ID_PATTERN } from './session.ts'

const SESSION_ID = new RegExp(SESSION_ID_PATTERN)

/** Throws INVALID_REQUEST for what cannot be a session's id. */
export function assertSessionId (id: string): void {
  if (typeof id !== 'string' || !SESSION_ID.test(id)) throw runsError('INVALID_REQUEST', ['A session id must match ' + SESSION_ID_PATTERN])
}

/** How many items a page may have. Throws INVALID_REQUEST for what is no whole number from 1 to 500. */
export function checkedLimit (limit: number): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > 500) throw runsError('INVALID_REQUEST', ['"limit" must be a whole number from 1 to 500.'])
  return limit
}

/** The id of something that is looked for. Throws INVALID_REQUEST for what is no text. */
export function checkedId (name: string, id: string): string {
  if (typeof id !== 'string') throw runsError('INVALID_REQUEST', [`"${name}" must be a string; it is ${typeof id}.`])
  return id
}

/** Throws INVALID_REQUEST for a title that is not text, or too long. */
export function assertTitle (title: string | null | undefined): void {
  if (title === undefined || title === null) return
  if (typeof title !== 'string' || title.length > MAX_TITLE_LENGTH) throw runsError('INVALID_REQUEST', [`A session's title must be text of at most ${MAX_TITLE_LENGTH} characters.`])
}

/** Throws INVALID_REQUEST for metadata that cannot be kept as JSON, or is too large. */
export function assertMetadata (metadata: Metadata | undefined): void {
  let json: string
  try {
    json = toJson(metadata) ?? ''
  } catch {
    throw runsError('INVALID_REQUEST', [`A session's metadata must be JSON, nested at most ${MAX_DEPTH} levels deep.`])
  }
  if (Buffer.byteLength(json) > MAX_METADATA_BYTES) throw runsError('INVALID_REQUEST', [`A session's metadata must take at most ${MAX_METADATA_BYTES} bytes as JSON.`])
}

/**
 * The owner that a caller named in the last of its options; null if they named none. Throws INVALID_REQUEST for undefined, which
 * must not mean everybody, and for options that there are not: a misspelt one would mean its default.
 */
export function ownerOf (options: { owner?: Owner }): Owner {
  if (Object(options) !== options) throw runsError('INVALID_REQUEST', ['Options must be an object.'])
  const unknown = Object.keys(options).find((name) => name !== 'owner')
  if (unknown !== undefined) throw runsError('INVALID_REQUEST', [`There is no option "${unknown}".`])
  if (!Object.hasOwn(options, 'owner')) return null
  const { owner } = options
  if (owner !== null && typeof owner !== 'string') throw runsError('INVALID_REQUEST', [`"owner" must be a string, or null for the app itself; it is ${typeof owner}.`])
  return owner
}
