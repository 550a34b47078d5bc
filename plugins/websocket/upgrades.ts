/*
 * Upgrade requests of an HTTP server. Once there is a listener for them, Node leaves all of them to the listeners, on any
 * route: what is not for us has to be served as if there were none.
 */
import { EventEmitter } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** The servers that we listen to. */
const heard = new WeakSet<object>()
/** The requests that came as upgrades, and what came behind them: their sockets belong to nobody but who answers them. */
const upgrades = new WeakMap<IncomingMessage, Buffer>()

/**
 * What a WebSocket server of `scope` is to listen to: it emits `upgrade` for WebSockets only. Of several scopes the first
 * hears of those of all, as each routes them through the whole app.
 */
export function webSocketUpgrades (scope: FastifyInstance): EventEmitter {
  const sockets = new EventEmitter()
  const { server, routing } = scope
  scope.routing = (request: IncomingMessage, response: ServerResponse) => {
    // It was answered as plain HTTP, and Node looks after the connection no more.
    response.on('finish', () => request.socket.destroySoon())
    routing(request, response)
  }
  if (!heard.has(server)) {
    heard.add(server)
    // Node 22.21 and 24.9 ask first. Before, and where the host replaced this, all that asks for an upgrade comes as one.
    Object.assign(server, { shouldUpgradeCallback: isWebSocket })
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      upgrades.set(request, head)
      if (!isWebSocket(request) || !sockets.emit('upgrade', request, socket, head)) serveAsPlain(server, request, socket, head)
    })
  }
  return sockets
}

/** Whether it may become a WebSocket: a request with a body cannot, whatever it asks for. */
function isWebSocket ({ method, headers }: IncomingMessage): boolean {
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
  return method === 'GET' && !hasBody && headers.upgrade?.toLowerCase() === 'websocket'
}

/**
 * A hook: serves a WebSocket on a route of ours that is none as if it had asked for plain HTTP. Answered as it came, a stream
 * would neither be told that its peer has room again nor that it has gone.
 */
export async function serveUpgradeAsPlain ({ raw, server, routeOptions: { config } }: FastifyRequest, reply: FastifyReply): Promise<void> {
  const head = upgrades.get(raw)
  if (head === undefined || config.runsAction === 'connect') return
  reply.hijack()
  reply.raw.detachSocket(raw.socket)
  serveAsPlain(server.server, raw, raw.socket, head)
}

/** Gives a connection back to the server with its request, but for the upgrade: clients that would like HTTP/2 ask for one with any request. */
function serveAsPlain (server: Server, { method, url, httpVersion, rawHeaders }: IncomingMessage, socket: Duplex, head: Buffer): void {
  // Node may have left headers out where there were too many, also that of a body's length: what follows must not be taken for another request.
  let text = `${method} ${url} HTTP/${httpVersion}\r\nconnection: close\r\n`
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!
    if (!/^(connection|upgrade)$/i.test(name)) text += `${name}: ${rawHeaders[index + 1]!}\r\n`
  }
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]))
  server.emit('encrypted' in socket ? 'secureConnection' : 'connection', socket)
}
