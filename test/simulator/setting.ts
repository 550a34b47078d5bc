/* What is drawn once per schedule: how many of everything there are, how small the limits, how bad the times. */
import type { Limits } from '../../lib/protocol/limits.ts'
import type { Prng } from './prng.ts'

export type Disaster = 'crash' | 'shutDown' | 'outage' | 'gust'

export interface Setting {
  store: 'sqlite' | 'memory'
  servers: number
  sessions: number
  /** Clients that post, abort, complete, delete; and how much each of them does. */
  posters: number
  actions: number
  /** Clients that answer approvals, and how often each of them tries. */
  approvers: number
  answers: number
  /** Clients that follow, and how often each of them connects before the end. */
  followers: number
  connections: number
  /** How many disasters there are, how probable each kind, and how long those last that end by themselves, in ms. */
  disasters: number
  kinds: Record<Disaster, number>
  disasterMs: number[]
  /** How probably a call of the store fails before it is executed, and loses its answer afterwards. */
  failing: number
  losing: number
  /** How probably it is never answered, executed or not. */
  hanging: number
  /** How probably a call takes long, and how long then, in ms. */
  slow: number
  slowMs: number
  /** How many events a page of the log holds at most. */
  pageRows: number
  /** How probably a client deletes a session, rather than anything else. */
  deleting: number
  /** How probably a sink is full after a chunk. */
  stalling: number
  leaseMs: number
  runTimeoutMs: number
  closeGraceMs: number
  retention: { completedRunMs: number, maxTransientEventsPerRun: number, sessionMs: number }
  limits: Limits
}

export function drawSetting (prng: Prng): Setting {
  const bad = prng.chance(0.6)
  const long = prng.chance(0.1)
  const followers = prng.between(1, 4)
  return {
    store: prng.pick(['sqlite', 'memory']),
    servers: prng.pick([1, 1, 2]),
    sessions: prng.pick([1, 1, 2, 3]),
    posters: prng.between(1, 3),
    actions: long ? prng.between(8, 16) : prng.between(2, 7),
    approvers: prng.pick([0, 1, 1, 2]),
    answers: prng.between(4, 40),
    followers,
    connections: prng.between(1, 5),
    disasters: bad ? prng.between(0, 3) : 0,
    kinds: { crash: 4, shutDown: 3, outage: 2, gust: 2 },
    disasterMs: [50, 500, 3_000, 14_000, 20_000, 60_000],
    failing: bad ? prng.pick([0, 0.01, 0.05, 0.15]) : 0,
    losing: bad ? prng.pick([0, 0.01, 0.05, 0.15]) : 0,
    hanging: bad ? prng.pick([0, 0, 0.01, 0.05]) : 0,
    slow: prng.pick([0, 0.02, 0.1]),
    slowMs: prng.pick([100, 1_000, 6_000]),
    pageRows: prng.pick([1, 3, 10, 500]),
    deleting: prng.pick([0, 0, 0.05, 0.15]),
    stalling: prng.pick([0, 0.1, 0.5]),
    leaseMs: 3_000,
    runTimeoutMs: prng.pick([0, 0, 0, 3_000]),
    closeGraceMs: prng.pick([0, 200, 2_000]),
    retention: {
      completedRunMs: prng.pick([1, 500, 3_000, 300_000]),
      maxTransientEventsPerRun: prng.pick([2, 6, 16, 64, 5_000]),
      sessionMs: prng.pick([0, 0, 0, 0, 6_000])
    },
    limits: {
      runningRuns: prng.pick([1, 2, 1_000]),
      queuedPerSession: prng.pick([1, 3, 20]),
      // Just enough for all, and for one who comes at the end: a place that is not given back is missed.
      subscribersPerSession: followers + 1,
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
      messageBytes: prng.pick([60, 1_000_000, 1_000_000]),
      pendingPermissions: prng.pick([1, 2, 100, 100]),
      maxEventsPerRun: prng.pick([40, 100_000, 100_000, 100_000]),
      pendingPermissionBytes: 4_000_000,
      maxBytesPerRun: 64_000_000,
      subscribersPerOwner: 0,
      waitingSubscribersPerOwner: 0,
      socketsPerOwner: 0,
      requestBytesPerOwner: 0,
      answerBytesPerOwner: 0
    }
  }
}
