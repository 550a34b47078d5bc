/* Origins of pages, as browsers name them. */
import type { FastifyRequest } from 'fastify'
import { runsError } from '../../lib/protocol/errors.ts'

/** Any origin, in a list of those that are allowed. */
export const ANY_ORIGIN = '*'

/** Whether that is an origin of the web as browsers write it: what is written otherwise would never be found equal. */
export function isOrigin (text: string): boolean {
  return /^https?:/.test(text) && !text.includes('*') && originOf(text) === text
}

/**
 * Throws ORIGIN_NOT_ALLOWED for a page of another origin than the host's own and those `allowed`: browsers let any page open a
 * WebSocket, with the user's cookies. Clients that are no browsers name no origin.
 */
export function assertOrigin ({ headers: { origin, 'sec-fetch-site': site }, host }: FastifyRequest, allowed: readonly string[]): void {
  if (origin === undefined || allowed.includes(ANY_ORIGIN) || allowed.includes(origin)) return
  // A page cannot forge what the browser says of it; this one is right also behind a proxy that renames the host.
  if (site === 'same-origin' || isOfHost(origin, host)) return
  throw runsError('ORIGIN_NOT_ALLOWED', [origin])
}

/** Whether a page of that origin came from `host`. Of the schemes we know nothing: a proxy may speak https for us. */
function isOfHost (origin: string, host: string): boolean {
  return isOrigin(origin) && originOf(`${new URL(origin).protocol}//${host}`) === origin
}

function originOf (url: string): string | null {
  return URL.canParse(url) ? new URL(url).origin : null
}
