/* What callers say of sessions, checked. */
import { runsError } from './errors.ts'
import { type Metadata, SESSION_ID_PATTERN } from './types.ts'

const SESSION_ID = new RegExp(SESSION_ID_PATTERN)

/** Throws INVALID_REQUEST for what cannot be a session's id. */
export function assertSessionId (id: string): void {
  if (typeof id !== 'string' || !SESSION_ID.test(id)) throw runsError('INVALID_REQUEST', ['A session id must match ' + SESSION_ID_PATTERN])
}

/** Throws INVALID_REQUEST for metadata that cannot be kept as JSON. */
export function assertMetadata (metadata: Metadata | undefined): void {
  try {
    JSON.stringify(metadata)
  } catch {
    throw runsError('INVALID_REQUEST', ['A session\'s metadata must be JSON, and not too deep.'])
  }
}
