/* URLs that may be relative where there is a page. */

const PROTOCOLS: ReadonlySet<string> = new Set(['http:', 'https:', 'ws:', 'wss:'])

/** `url` as an absolute one, a copy; throws TypeError if it is none of ours, or relative and there is no page that it could be relative to. */
export function resolvedUrl (url: string | URL): URL {
  const { location } = globalThis as { location?: { href: string } }
  const resolved = new URL(url, location?.href)
  if (!PROTOCOLS.has(resolved.protocol)) throw new TypeError(`${resolved.href} is no URL of a server: it must begin with http or https.`)
  return resolved
}
