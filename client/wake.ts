/* When a page may have been cut off without noticing: it was hidden, frozen or asleep, or its network is another one. */

/** `online`: the network may be another one. `shown`: the page is seen or focused again, or has come back from the cache of Back and Forward. */
export type WakeReason = 'online' | 'shown'

/** What browsers have for a global object; Node has no such events. */
interface Listening {
  addEventListener?: (type: string, listener: () => void) => void
  removeEventListener?: (type: string, listener: () => void) => void
  document?: Listening & { visibilityState: string }
}

/** Calls `listener` whenever the page wakes up, until the answered function is called. Never in Node. */
export function onWake (listener: (reason: WakeReason) => void): () => void {
  const world = globalThis as Listening
  const online = (): void => listener('online')
  const shown = (): void => { if (world.document?.visibilityState !== 'hidden') listener('shown') }
  const heard: Array<[Listening | undefined, string, () => void]> = [[world, 'online', online], [world, 'pageshow', shown], [world, 'focus', shown], [world.document, 'visibilitychange', shown]]
  for (const [target, type, listen] of heard) target?.addEventListener?.(type, listen)
  return () => { for (const [target, type, listen] of heard) target?.removeEventListener?.(type, listen) }
}
