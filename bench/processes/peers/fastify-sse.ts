/* @fastify/sse in a Fastify server. Nothing is stored: what is replayed is an array in memory. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import Fastify, { type FastifyInstance, type FastifyPluginAsync, type FastifyReply } from 'fastify'
import { importPeer } from '../../peers/packages.ts'
import { asItIs, opening, type SentEvent, type SsePeer } from './sse-peer.ts'

/** What of `reply.sse` is used here. */
export interface SseContext {
  readonly lastEventId: string | null
  keepAlive (): void
  onClose (callback: () => void): void
  send (source: { id: string, data: string } | AsyncIterable<{ id: string, data: string }>): Promise<void>
}

/** An option of routes that only the plugin knows. */
const ONLY_SSE: object = { sse: 'only' }

/** A Fastify server with the plugin; `follow` is given each stream of a path. */
export async function fastifySseServer (follow: Record<string, (sse: SseContext, path: string) => Promise<void>>): Promise<FastifyInstance> {
  const { default: plugin } = await importPeer<{ default: FastifyPluginAsync<{ serializer: (data: unknown) => string, heartbeatInterval: number }> }>('@fastify/sse')
  const app = Fastify()
  await app.register(plugin, { serializer: asItIs, heartbeatInterval: 0 })
  for (const [path, handler] of Object.entries(follow)) {
    app.get(path, ONLY_SSE, async (request, reply) => {
      const { sse } = reply as FastifyReply & { sse: SseContext }
      sse.keepAlive()
      await handler(sse, request.url)
    })
  }
  return app
}

export async function fastifySse (): Promise<SsePeer> {
  const held = new Set<SseContext>()
  let kept: SentEvent[] = []
  const app = await fastifySseServer({
    '/': async (sse) => {
      await sse.send(opening(0))
      held.add(sse)
      sse.onClose(() => held.delete(sse))
    },
    '/replay': async (sse) => {
      const after = Number(sse.lastEventId ?? 0)
      await sse.send(opening(after))
      await sse.send(keptAfter(kept, after))
    }
  })
  return {
    listen: async () => Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port),
    async keep (events) {
      kept = events
    },
    async broadcast (events, eventsPerTurn) {
      for (const [index, { seq, json }] of events.entries()) {
        if (index % eventsPerTurn === 0) await nextTurn()
        for (const sse of held) void sse.send({ id: String(seq), data: json })
      }
    }
  }
}

async function * keptAfter (events: SentEvent[], after: number): AsyncGenerator<{ id: string, data: string }> {
  for (let index = after; index < events.length; index++) yield { id: String(events[index]!.seq), data: events[index]!.json }
}
