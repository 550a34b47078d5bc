/* What a server that speaks SSE by another package does for the benches. */

/** An event as it is sent: its JSON was made before, as ours is. */
export interface SentEvent {
  seq: number
  json: string
}

export interface SsePeer {
  /** Starts to listen; answers the port. */
  listen (): Promise<number>
  /** Keeps events, for those who read `/replay`. */
  keep (events: SentEvent[]): Promise<void>
  /** Sends events to all who follow `/`, so many a turn of the event loop; resolves when they were handed over. */
  broadcast (events: SentEvent[], eventsPerTurn: number): Promise<void>
}

/** What each stream begins with: no event, but an id. */
export function opening (after: number): { id: string, data: string } {
  return { id: String(after), data: '{}' }
}

/** Events are JSON already. */
export function asItIs (data: unknown): string {
  return data as string
}
