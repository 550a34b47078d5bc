/* better-sse on `node:http`: a channel for all who follow. It stores nothing. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { importPeer } from '../../peers/packages.ts'
import { asItIs, opening, type SsePeer } from './sse-peer.ts'

/** What of the package is used here. */
interface BetterSse {
  createSession (request: IncomingMessage, response: ServerResponse, options: object): Promise<{ push (data: string, event: string, id: string): void }>
  createChannel (): { register (session: object): void, broadcast (data: string, event: string, options: { eventId: string }): void }
}

export async function betterSse (): Promise<SsePeer> {
  const { createSession, createChannel } = await importPeer<BetterSse>('better-sse')
  const channel = createChannel()
  const server = createServer((request, response) => {
    void createSession(request, response, { serializer: asItIs, keepAlive: null, retry: null }).then((session) => {
      const { id, data } = opening(0)
      session.push(data, 'message', id)
      channel.register(session)
    })
  })
  return {
    async listen () {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      return (server.address() as AddressInfo).port
    },
    async keep () {
      throw new Error('better-sse keeps nothing')
    },
    async broadcast (events, eventsPerTurn) {
      for (const [index, { seq, json }] of events.entries()) {
        if (index % eventsPerTurn === 0) await nextTurn()
        channel.broadcast(json, 'message', { eventId: String(seq) })
      }
    }
  }
}
