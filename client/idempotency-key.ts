/* Keys that make a message that is sent again the same run. */

/** A key that nobody else has. Browsers have `randomUUID` in secure contexts alone; random numbers they have everywhere. */
export function newIdempotencyKey (): string {
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID()
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
