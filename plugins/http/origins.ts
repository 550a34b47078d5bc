/* Origins of pages, as browsers name them. */
import type { FastifyRequest } from 'fastify'

/** Any origin, in a list of those that are allowed. */
export const ANY_ORIGIN = '*'

/** Whether that is an origin of the web as browsers write it: what is written otherwise would never be found equal. */
export function isOrigin (text: string): boolean {
  return /^https?:/.test(text) && !text.includes('*') && originOf(text) === text
}

/**
 * Whether a page asks that is neither of the host's own origin nor of those `allowed`. What the browser says itself is right also
 * behind a proxy that renames the host, and no page can forge it; older browsers only name the origin; other clients name nothing.
 */
export function isForeignPage ({ headers: { origin, 'sec-fetch-site': site }, host }: FastifyRequest, allowed: readonly string[]): boolean {
  if (allowed.includes(ANY_ORIGIN) || (origin !== undefined && allowed.includes(origin))) return false
  if (site !== undefined) return site !== 'same-origin' && site !== 'none'
  return origin !== undefined && !isOfHost(origin, host)
}

/** Whether a page of that origin came from `host`. Of the schemes we know nothing: a proxy may speak https for us. */
function isOfHost (origin: string, host: string): boolean {
  return isOrigin(origin) && originOf(`${new URL(origin).protocol}//${host}`) === origin
}

function originOf (url: string): string | null {
  return URL.canParse(url) ? new URL(url).origin : null
}
