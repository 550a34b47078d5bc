/* Waiting, in a way that can be ended. */
import { onWake } from './wake.ts'

/** Resolves after `ms`, when the page wakes up, or when `signal` aborts; leaves nothing behind. */
export async function pause (ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      forget()
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
    const forget = onWake(end)
  })
}
