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

/** The owner that a caller named; null if they named none. Throws INVALID_REQUEST for undefined, which must not mean everybody. */
export function ownerOf (options: { owner?: Owner }): Owner {
  if (!Object.hasOwn(options, 'owner')) return null
  const { owner } = options
  if (owner !== null && typeof owner !== 'string') throw runsError('INVALID_REQUEST', [`"owner" must be a string, or null for the app itself; it is ${typeof owner}.`])
  return owner
}
