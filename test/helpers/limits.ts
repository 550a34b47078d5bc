/* More of everything than a test needs. */
import type { Limits } from '../../index.ts'

export const LIMITS: Limits = {
  runningRuns: 1_000,
  queuedPerSession: 20,
  subscribersPerSession: 1_000,
  subscribers: 1_000,
  sockets: 1_000,
  subscriptionsPerSocket: 1_000,
  messagesPerSecond: 100,
  socketMessageBytes: 262_144,
  bodyBytes: 1_000_000,
  dialectBodyBytes: 1_000_000,
  bodyValues: 100_000,
  contentBytes: 4_000_000,
  eventBytes: 1_000_000,
  messageBytes: 1_000_000,
  pendingPermissions: 100,
  maxEventsPerRun: 100_000,
  maxBytesPerRun: 64_000_000,
  pendingPermissionBytes: 4_000_000,
  subscribersPerOwner: 0,
  waitingSubscribersPerOwner: 0,
  socketsPerOwner: 0,
  requestBytesPerOwner: 0,
  answerBytesPerOwner: 0
}
