/* When a server says that another try makes sense. */

/** A day. Much longer times overflow timers. */
const MOST_SECONDS = 86_400

/** What a body or a frame says: from 0 to a day; undefined if it is no such number. */
export function seconds (value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 ? Math.min(value, MOST_SECONDS) : undefined
}

/** The same of a `Retry-After` header, which has seconds, or a date; by this machine's clock, as browsers do not show the server's. */
export function secondsOfHeader (header: string | null): number | undefined {
  const text = header?.trim() ?? ''
  if (/^\d+$/.test(text)) return seconds(Number(text))
  // Date.parse accepts much that is no HTTP date.
  return text.endsWith(' GMT') ? seconds(Math.max(0, Date.parse(text) - Date.now()) / 1_000) : undefined
}
