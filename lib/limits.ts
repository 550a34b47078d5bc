/* How much of everything there may be. */

export interface Limits {
  /** Runs that this process drives at once. */
  runningRuns: number
  /** Messages that wait in one session. */
  queuedPerSession: number
  subscribersPerSession: number
  /** Subscribers of this process, over all sessions. */
  subscribers: number
  /** WebSockets of this process. */
  sockets: number
  /** Sessions that one WebSocket follows. */
  subscriptionsPerSocket: number
  /** Messages that one WebSocket may send per second, on average; at once, those of twenty seconds. */
  messagesPerSecond: number
  /** Bytes of one message over a WebSocket. */
  socketMessageBytes: number
  /** Bytes of a request's body. */
  bodyBytes: number
  /** The same where a dialect is spoken. */
  dialectBodyBytes: number
  /** Bytes of what a provider puts into one event. */
  eventBytes: number
  /** Bytes of streamed text after which a message is sealed, and what follows goes on as the next. */
  messageBytes: number
  /** Events of a provider in one run. */
  maxEventsPerRun: number
  /** Approvals of one run that wait for an answer. */
  pendingPermissions: number
  /** Bytes of a provider's events in one run. */
  maxBytesPerRun: number
}
