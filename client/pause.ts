/* Waiting, in a way that can be ended. */

/** What browsers have for a global object; Node has no such events. */
interface Listening {
  addEventListener?: (type: 'online', listener: () => void) => void
  removeEventListener?: (type: 'online', listener: () => void) => void
}

/** Resolves after `ms`, when the browser says that it is online again, or when `signal` aborts; leaves nothing behind. */
export async function pause (ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return
  const world = globalThis as Listening
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      world.removeEventListener?.('online', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
    world.addEventListener?.('online', end)
  })
}
