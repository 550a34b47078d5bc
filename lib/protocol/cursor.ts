/* Cursors as clients send them: the last seq they hold. */

/** `?lastEventId=latest`: only what is new. */
export const LATEST = 'latest'

/** Where a subscriber starts: after a seq (0 = everything retained), or after whatever is there now. */
export type Cursor = number | typeof LATEST

// No sign, no leading zero, no exponent, no blank: Number() would read '1e3', '0x10' and '' as cursors too.
const CURSOR = /^(0|[1-9]\d{0,15})$/

/** The cursor that `text` spells; absent or empty is 0; null if it is no cursor. */
export function parseCursor (text: string | undefined): number | null {
  if (text === undefined || text.trim() === '') return 0
  if (!CURSOR.test(text)) return null
  const cursor = Number(text)
  return Number.isSafeInteger(cursor) ? cursor : null
}
