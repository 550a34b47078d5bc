/*
 * Browsers open six connections to an origin over HTTP/1.1, for all its tabs: with six streams every other request waits for
 * ever. Over HTTP/2 and 3 there is no such limit.
 */

/** Streams that one page may have of an origin: two connections are left for requests, and for another tab. */
const MOST_STREAMS = 4

const open = new Map<string, number>()

/** A stream of `url` is open, until the answered function is called. */
export function countStream ({ origin }: URL): () => void {
  open.set(origin, (open.get(origin) ?? 0) + 1)
  return () => { open.set(origin, open.get(origin)! - 1) }
}

/** Whether another stream would leave a page too few connections to the origin of `url`. */
export function areStreamsScarce ({ origin }: URL): boolean {
  return (open.get(origin) ?? 0) >= MOST_STREAMS && 'document' in globalThis && !isMultiplexed(origin)
}

/** Whether the browser has seen answers of the origin over HTTP/2 or 3; of another origin it may not say. */
function isMultiplexed (origin: string): boolean {
  const entries = performance.getEntriesByType('resource') as unknown as Array<{ name: string, nextHopProtocol?: string }>
  return entries.some(({ name, nextHopProtocol = '' }) => /^h[23]/.test(nextHopProtocol) && name.startsWith(`${origin}/`))
}
