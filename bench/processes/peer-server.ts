/* A server that speaks SSE by another package, argv[2]. */
import { answer } from '../answer.ts'
import { peakMemory, watchMemory } from '../measure/memory.ts'
import { cpuUs } from '../measure/usage.ts'
import type { PeerName } from '../peers/packages.ts'
import { betterSse } from './peers/better-sse.ts'
import { fastifySse } from './peers/fastify-sse.ts'
import { resumableStream } from './peers/resumable-stream.ts'
import type { SentEvent, SsePeer } from './peers/sse-peer.ts'

const PEERS: Partial<Record<PeerName, () => Promise<SsePeer>>> = { '@fastify/sse': fastifySse, 'better-sse': betterSse, 'resumable-stream': resumableStream }

const peer = await PEERS[process.argv[2] as PeerName]!()
const port = await peer.listen()

export type PeerServer = typeof answers

const answers = {
  port: () => port,
  cpuUs,
  watchMemory,
  peakMemory,
  keep: (events: SentEvent[]) => peer.keep(events),
  broadcast: (events: SentEvent[], eventsPerTurn: number) => peer.broadcast(events, eventsPerTurn)
}

answer(answers)
