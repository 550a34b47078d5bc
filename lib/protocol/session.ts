/* Sessions, as they are kept and shown. */
import type { SessionView } from './words.ts'

/** The owner of everything when the app does not say who its users are. */
export const ANONYMOUS = ''

/** Whose session is asked for; null asks on behalf of the app itself, to which all sessions belong. */
export type Owner = string | null

/**
 * Session ids that clients may choose: unreserved URL characters, with no dot at either end, which paths and file systems read
 * otherwise; at most 100 of them, as that is how long Fastify lets a path parameter be.
 */
export const SESSION_ID_PATTERN = '^(?!\\.|__proto__$)[A-Za-z0-9._~-]{0,99}[A-Za-z0-9_~-]$'

/** JSON that the app keeps with a session; never interpreted. */
export type Metadata = Record<string, unknown>

/** A session with the state of its log, as the app sees it: with its owner, `ANONYMOUS` when the app has no `identify`. */
export interface SessionState extends SessionView {
  owner: string
}

/** A session as the app stored it. Times are ISO 8601 in UTC. */
export type Session = Pick<SessionState, 'id' | 'owner' | 'provider' | 'title' | 'metadata' | 'createdAt' | 'updatedAt'>
