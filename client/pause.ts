/* Waiting, in a way that can be ended. */
import type { Reached } from './reached.ts'
import { onWake } from './wake.ts'

/** Resolves after `ms`, when the page wakes up, when the server is reached, or when `signal` aborts; leaves nothing behind. */
export async function pause (ms: number, signal: AbortSignal, reached?: Reached): Promise<void> {
  if (ms <= 0 || signal.aborted) return
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      forget()
      leave?.()
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
    const forget = onWake(end)
    const leave = reached?.next(end)
  })
}
