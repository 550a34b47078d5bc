/* When clients are to come back to a server that closes. */

const MIN_MS = 1_000
const SPREAD_MS = 2_000

/** In ms; different for each client, so that a restart is not met by all of them at once. */
export function reconnectDelay (): number {
  return MIN_MS + Math.round(Math.random() * SPREAD_MS)
}
