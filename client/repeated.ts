/* Requests that are made again until there is an answer. */
import { BackOff } from './back-off.ts'
import { RunsClientError } from './errors.ts'
import { LinkedAbort } from './linked-abort.ts'
import type { RetryOptions } from './options.ts'
import { isWorthRepeating } from './passing-errors.ts'
import { pause } from './pause.ts'

/** How many failures of one request are forgiven. */
const ATTEMPTS = 4

/** How a call goes on. */
export interface RepeatOptions {
  /** Whether it does no harm twice. */
  mayRepeat: boolean
  retry: RetryOptions | undefined
  /** The caller's: ends it with its reason. */
  signal: AbortSignal | undefined
  /** The client's: ends it with CLOSED. */
  closed: AbortSignal
}

/** What `attempt` brings; it is made again, if it may, when there was no answer, or one that says to come back. */
export async function repeated<T> (attempt: (signal: AbortSignal) => Promise<T>, { mayRepeat, retry, signal, closed }: RepeatOptions): Promise<T> {
  const stop = new LinkedAbort(closed, signal)
  const backOff = new BackOff({ attempts: ATTEMPTS, ...retry })
  try {
    for (;;) {
      if (signal?.aborted === true) throw signal.reason
      if (closed.aborted) throw new RunsClientError('CLOSED', 'The client was closed.')
      try {
        return await attempt(stop.signal)
      } catch (error) {
        if (stop.signal.aborted) continue
        const delayMs = mayRepeat && error instanceof RunsClientError && isWorthRepeating(error) ? backOff.failed((error.retryAfter ?? 0) * 1_000) : null
        if (delayMs === null) throw error
        await pause(delayMs, stop.signal)
      }
    }
  } finally {
    stop.unlink()
  }
}
