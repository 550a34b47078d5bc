/* From a route's reply to a stream. */
import type { OutgoingHttpHeaders } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { runsError } from '../lib/protocol/errors.ts'
import type { Opening } from '../lib/streams/subscriptions.ts'
import { SseConnection } from '../transports/sse/connection.ts'
import type { MakeStream, SseConnections } from '../transports/sse/connections.ts'

/** Whether the client asks for a stream where JSON is the rule. */
export function wantsStream ({ headers: { accept = '' } }: FastifyRequest): boolean {
  return accept.toLowerCase().includes('text/event-stream')
}

/** Throws NOT_ACCEPTABLE if the client refuses a stream; what curl sends and no header at all do not. */
export function assertAcceptsStream (request: FastifyRequest): void {
  const { accept } = request.headers
  if (accept !== undefined && accept !== '' && !wantsStream(request) && !/(^|[\s,])(text|\*)\/\*/.test(accept)) throw runsError('NOT_ACCEPTABLE')
}

const ownFrames: MakeStream = (response, headers, options) => new SseConnection(response, headers, options)

/** Replies that are on their way through the host's hooks to become streams. */
const openings = new WeakMap<FastifyReply, { opening: Opening, make: MakeStream }>()

/**
 * Answers with a stream that ends when the requester's identity does. The hooks that the host has for replies see one
 * without a body: they may set headers and cookies, and have nothing to compress. By default the stream is in our own frames.
 */
export function replyWithStream (reply: FastifyReply, opening: Opening, make: MakeStream = ownFrames): FastifyReply {
  openings.set(reply, { opening, make })
  return reply.send(null)
}

/** Makes streams of replies that are meant to be some; after all other hooks of the scope. */
export async function streamReplies (fastify: FastifyInstance, { sse }: { sse: SseConnections }): Promise<void> {
  fastify.addHook('onSend', (_request, reply, _payload, done) => {
    const stream = openings.get(reply)
    if (stream === undefined) return done()
    openings.delete(reply)
    const { opening, make } = stream
    // Fastify leaves the rest to us, and is never told to go on.
    reply.hijack()
    // The client may have left while the log was read; then nobody would ever end the subscription.
    if (reply.raw.req.socket.destroyed) opening.cancel()
    else sse.open(make, reply.raw, reply.getHeaders() as OutgoingHttpHeaders, opening, reply.request.agentRuns.hasEnded)
  })
  // A hook of the host's failed. After the response is too late: Fastify would keep request and reply for as long as a stream is open.
  fastify.addHook('onError', async (_request, reply) => {
    openings.get(reply)?.opening.cancel()
    openings.delete(reply)
  })
}
