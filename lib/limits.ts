/* How much of everything there may be. */

export interface Limits {
  /** Runs that this process drives at once. */
  runningRuns: number
  /** Messages that wait in one session. */
  queuedPerSession: number
  subscribersPerSession: number
  /** Subscribers of this process, over all sessions. */
  subscribers: number
  /** Bytes of a request's body. */
  bodyBytes: number
  /** Bytes of what a provider puts into one event. */
  eventBytes: number
  /** Bytes of streamed text after which a message is sealed, and what follows goes on as the next. */
  messageBytes: number
  /** Events of a provider in one run. */
  maxEventsPerRun: number
  /** Bytes of a provider's events in one run. */
  maxBytesPerRun: number
}
