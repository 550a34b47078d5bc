/* Patience with an end. */
import { setTimeout as delay } from 'node:timers/promises'

/** Waits for `work`, but no longer than `ms`. Rejects as `work` does within that time. */
export async function atMost (ms: number, work: Promise<unknown>): Promise<void> {
  const deadline = new AbortController()
  await Promise.race([work, delay(ms, undefined, { signal: deadline.signal })]).finally(() => deadline.abort())
}
