/*
 * Requests that come behind one another on a connection, before the first is answered. Node reads many of them at once, and the
 * answers that nobody reads would pile up: each is served when the one before is through.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** Requests of a connection that may wait; one with more is cut. Hardly any client sends a second one before its answer. */
const MOST_WAITING = 100

interface Connection {
  waiting: number
  /** The answer to the latest request. */
  latest: ServerResponse
}

const connections = new WeakMap<Socket, Connection>()
/** The requests that had their turn: routes of ours may stand in an app that does the same. */
const served = new WeakSet<IncomingMessage>()

const through = new WeakSet<ServerResponse>()

/** A listener of all answers: one of each would keep request and reply as long as a stream. */
function count (this: ServerResponse): void {
  through.add(this)
  connections.get(this.req.socket)!.waiting--
}

async function closed (response: ServerResponse): Promise<void> {
  if (!through.has(response)) await new Promise<void>((resolve) => { response.once('close', resolve) })
}

/** Adds the hook to a scope, ahead of all others. */
export function serveOneAtATime (scope: FastifyInstance): void {
  scope.addHook('onRequest', async ({ raw }, reply) => {
    // HTTP/2 has a flow control for each of its streams; behind an upgrade there is no request.
    if (raw.httpVersionMajor !== 1 || (raw as { upgrade?: boolean }).upgrade === true || served.has(raw)) return
    served.add(raw)
    const { socket } = raw
    const before = connections.get(socket)
    const own: Connection = { waiting: (before?.waiting ?? 0) + 1, latest: reply.raw }
    connections.set(socket, own)
    reply.raw.once('close', count)
    if (before === undefined || before.waiting === 0) return
    if (own.waiting > MOST_WAITING) socket.destroy()
    else await closed(before.latest)
    // Nobody is there for the answer.
    if (socket.destroyed) reply.hijack()
  })
}
