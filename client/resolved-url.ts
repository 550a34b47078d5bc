/* URLs that may be relative where there is a page. */

/** `url` as an absolute one, a copy; throws TypeError if it is relative and there is no page that it could be relative to. */
export function resolvedUrl (url: string | URL): URL {
  const { location } = globalThis as { location?: { href: string } }
  return new URL(url, location?.href)
}
