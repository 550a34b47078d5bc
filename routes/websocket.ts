/* The WebSocket: many sessions on one connection, followed and steered. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { runsError } from '../lib/protocol/errors.ts'
import type { SocketConnections } from '../transports/websocket/connections.ts'
import { answers } from './schemas/answers.ts'

const Opened = Type.Null({ description: 'The WebSocket is open. Clients send objects with a `type`: `chat.subscribe`, `chat.unsubscribe`, `chat.send`, `chat.abort`, `chat.permission-response`; the server sends events and frames, as over Server-Sent Events.' })

export const websocketRoutes: FastifyPluginAsyncTypebox<{ sockets: SocketConnections }> = async (fastify, { sockets }) => {
  // As strict as with bodies: what would reach into prototypes is refused.
  const parser = fastify.getDefaultJsonParser('error', 'error')

  fastify.route({
    method: 'GET',
    url: '/ws',
    exposeHeadRoute: false,
    config: { runsAction: 'connect' },
    schema: { operationId: 'openWebSocket', summary: 'Follow and steer many sessions over one WebSocket', response: answers({ 101: Opened }, 'ORIGIN_NOT_ALLOWED', 'UPGRADE_REQUIRED', 'TOO_MANY_SOCKETS') },
    // Not asynchronous: between the look and the socket no other may come.
    preHandler: (request, _reply, done) => {
      sockets.assertRoom(request.agentRuns.owner)
      done()
    },
    handler: async (_request, reply) => {
      reply.header('upgrade', 'websocket')
      throw runsError('UPGRADE_REQUIRED')
    },
    wsHandler: (socket, request) => {
      const parse = (text: string): unknown => {
        let parsed: unknown
        // It answers at once.
        void parser(request, text, (error, value) => {
          if (error !== null) throw error
          parsed = value
        })
        return parsed
      }
      sockets.open(socket, {
        owner: request.agentRuns.owner,
        hasEnded: request.agentRuns.hasEnded,
        authorize: (action, sessionId) => request.agentRuns.authorize(action, sessionId),
        parse,
        log: request.log
      })
    }
  })
}
