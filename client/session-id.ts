/* What may be a session's id. */
import { RunsClientError } from './errors.ts'

/** As the server checks it (docs/PROTOCOL.md). */
const SESSION_ID = /^(?!\.|__proto__$)[A-Za-z0-9._~-]{0,99}[A-Za-z0-9_~-]$/

/** Throws INVALID_REQUEST at what cannot be a session's id, before anything is asked. */
export function assertSessionId (sessionId: unknown): void {
  // A session called "undefined" would be that of all who have forgotten theirs.
  if (typeof sessionId !== 'string' || !SESSION_ID.test(sessionId)) throw new RunsClientError('INVALID_REQUEST', `"${String(sessionId)}" is no id of a session.`)
}
