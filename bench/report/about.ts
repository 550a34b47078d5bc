/* What each bench compares, for docs/performance.md. */
import type { BenchName } from '../lines/all.ts'
import type { PeerName } from '../peers/packages.ts'

export interface About {
  title: string
  ours: string
  /** What a client could have at the least; null where ours is measured alone. */
  bare: string | null
}

/** How other packages are used, each as its own pages show it. */
export const PEERS: Record<PeerName, string> = {
  '@fastify/sse': 'in Fastify. It stores nothing: what is replayed is an array in memory.',
  'better-sse': 'on `node:http`, a channel for all who follow. It stores nothing.',
  'resumable-stream': 'on `node:http`, over a Redis on the same machine that keeps nothing on disk; the CPU is without that of Redis. Where many follow, it gets a tenth of the events.',
  '@durable-streams/server': 'its store of files, without its HTTP. Each append waits for the disk, which ours does at `durability: \'full\'` alone; few are measured.'
}

const REFERENCE = 'a layout of its own that never changes: one row an event, found by its session and seq'

export const ABOUT: Record<BenchName, About> = {
  many: {
    title: 'Many runs at once',
    ours: 'Each run says 50 events a second, stores them, and has a reader over SSE. Latency is from the `yield` of the agent to the reader.',
    bare: '`node:http`: the same frames, made and written as agents say them; nothing is stored.'
  },
  append: {
    title: 'Appends',
    ours: '100 runs at once, from the agent\'s `yield` to the commit, in SQLite.',
    bare: `The same events, in transactions of the same sizes, by one prepared \`INSERT\` of better-sqlite3, into ${REFERENCE}.`
  },
  'short-runs': {
    title: 'Short runs',
    ours: 'Each from its start in a new session, over three deltas and the whole text, to its end.',
    bare: 'The same events in as many transactions, in the same layout as above, with a row for each session and a row for each run that is written again at its end.'
  },
  replay: {
    title: 'Replay',
    ours: 'A stored log over SSE, from the first event.',
    bare: `\`node:http\`: the same events by pages of 500, out of ${REFERENCE}; the same frames.`
  },
  reconnect: {
    title: 'Reconnecting clients',
    ours: 'Clients come back at once with the middle of a log as their Last-Event-ID, to a server that has just started; each must get exactly the other half.',
    bare: 'As for the replay.'
  },
  'fan-out': {
    title: 'Fan-out',
    ours: 'One run, followed by many over loopback sockets.',
    bare: '`node:http`: one `res.write` of one buffer with the same bytes for each response; nothing is stored.'
  },
  heap: {
    title: 'Idle streams',
    ours: 'What an open stream takes of the heap after garbage collection.',
    bare: '`node:http` responses that are held open.'
  },
  stalled: {
    title: 'Readers that stall',
    ours: 'Half of the readers of a run stop reading. The others get everything meanwhile; then the stalled ones read on and get everything, too.',
    bare: null
  },
  growth: {
    title: 'Growth',
    ours: 'The store alone, with so many events in one database. Appends are commits of one event of each of 100 runs; the replay is of one run of 5,000 events that lie between those of others.',
    bare: 'The same store with few events.'
  },
  latency: {
    title: 'Latency',
    ours: 'From the POST of a message to the first delta at a reader whose stream is open.',
    bare: '`node:http`: the handler of the POST writes two frames to the open response.'
  },
  kept: {
    title: 'What is kept',
    ours: 'Bytes of the database in use for one byte of text, of questions and of answers in deltas of 21 characters: while runs run, when they have ended, when they are compacted.',
    bare: null
  },
  followed: {
    title: 'Other instances',
    ours: 'An instance that follows many sessions, one of which is busy in another process.',
    bare: 'The same that follows the busy one alone.'
  },
  hanging: {
    title: 'A call that hangs',
    ours: '`append`, beside one more run whose call to the store gets no answer.',
    bare: '`append` without it.'
  }
}
