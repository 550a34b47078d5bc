/* Mounts the WebSocket: on the host's @fastify/websocket if there is one, else on one of our own. */
import type { Server } from 'node:http'
import websocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import { runsError } from '../../lib/protocol/errors.ts'
import { websocketRoutes } from '../../routes/websocket.ts'
import type { SocketConnections } from '../../transports/websocket/connections.ts'
import type { GuardHook } from '../guard.ts'
import { isForeignPage } from '../http/origins.ts'
import { webSocketUpgrades } from './upgrades.ts'

export interface WebSocketOptions {
  sockets: SocketConnections
  /** Bytes of one message, where the server is ours. */
  maxPayload: number
}

/** Adds the route to a scope of its own: a server of ours leaves the routes of the host as they are. */
export async function mountWebSocket (scope: FastifyInstance, { sockets, maxPayload }: WebSocketOptions): Promise<void> {
  if (!scope.hasDecorator('websocketServer')) {
    assertOnlyServer(scope)
    await scope.register(websocket, {
      // The only thing that is asked of that server is to be told of upgrades.
      options: { maxPayload, server: webSocketUpgrades(scope) as Server },
      // What is wrong with a peer's frames the peer is told; ours to end is the connection, and that listens too.
      errorHandler: (error, _socket, request) => request.log.debug({ err: error }, 'a WebSocket broke')
    })
  }
  scope.register(websocketRoutes, { sockets })
}

/** A hook for `onRequest` that keeps pages of other origins from the WebSocket, before anybody asks who they are: browsers let any page open one, with the user's cookies. */
export function originGuard (allowedOrigins: string[]): GuardHook {
  return async (request) => {
    if (request.routeOptions.config.runsAction === 'connect' && isForeignPage(request, allowedOrigins)) throw runsError('ORIGIN_NOT_ALLOWED', [request.headers.origin ?? 'unknown'])
  }
}

/** Two that take upgrades would both answer each: better no server than one that breaks at the first. */
function assertOnlyServer (scope: FastifyInstance): void {
  scope.addHook('onReady', async () => {
    if (scope.server.listenerCount('upgrade') > 1) throw runsError('AGENT_RUNS_WEBSOCKET_CONFLICT')
  })
}
