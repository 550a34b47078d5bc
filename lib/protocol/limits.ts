/* How much of everything there may be; docs/limits.md says what follows for each route, frame and background task. */

/** Parts of a message's content. */
export const MAX_PARTS = 1_000
/** Bytes of a session's metadata as JSON. */
export const MAX_METADATA_BYTES = 16 * 1024
/** Characters of a session's title. */
export const MAX_TITLE_LENGTH = 512
/** Characters of a native session id; one that is longer ends its run. */
export const MAX_NATIVE_ID_LENGTH = 512
/** Native ids that are kept of a session and provider, the newest; a run that announces more of them ends. */
export const NATIVE_IDS_KEPT = 32
/** Bytes of a `complete`'s usage as JSON; more of it ends its run as failed. */
export const MAX_USAGE_BYTES = 16 * 1024
/** Characters of the message of a run's error, and of its code; what is longer is cut. */
export const MAX_ERROR_MESSAGE_LENGTH = 4_096
export const MAX_ERROR_CODE_LENGTH = 128
/** Bytes of the pending approvals that a session's view holds whole, oldest first; of the others it holds the ids. */
export const INLINE_PERMISSION_BYTES = 256 * 1024
/** Messages that wait, as a session's view shows them, next first; of the others it has the ids of their runs. */
export const WAITING_SHOWN = 100
/** Characters of the preview of a message that waits. */
export const PREVIEW_LENGTH = 200
/** Bytes of one page of sessions or of a log, as JSON; it holds at least one item all the same. */
export const MAX_PAGE_BYTES = 4 * 1024 * 1024

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
  /** Values of a request's body, as many as it has commas and opening brackets. */
  bodyValues: number
  /** Bytes of a message's content and options as JSON, however they come. */
  contentBytes: number
  /** Bytes of what a provider puts into one event. */
  eventBytes: number
  /** Bytes of streamed text after which a message is sealed, and what follows goes on as the next. */
  messageBytes: number
  /** Events of a provider in one run. */
  maxEventsPerRun: number
  /** Approvals of one run that wait for an answer. */
  pendingPermissions: number
  /** Bytes of these requests together. */
  pendingPermissionBytes: number
  /** Bytes of a provider's events in one run. */
  maxBytesPerRun: number
  /** Of one owner in this process; 0 = no limit of their own. Subscribers that wait for their session count as subscribers too. */
  subscribersPerOwner: number
  waitingSubscribersPerOwner: number
  socketsPerOwner: number
  /** Bytes of request bodies of one owner that are being received. */
  requestBytesPerOwner: number
  /** Characters of large answers of one owner that their clients have not taken. */
  answerBytesPerOwner: number
}

/** How long a stop waits for its message, in ms. */
export const STOP_KEPT_MS = 600_000
/** How many stops of an owner may wait for their messages. */
export const MAX_STOPS = 100
