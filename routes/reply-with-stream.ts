/* From a route's reply to a stream. */
import type { OutgoingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { runsError } from '../lib/errors.ts'
import type { Opening } from '../lib/subscriptions.ts'
import type { SseConnections } from '../transports/sse-connections.ts'

/** Whether the client asks for a stream where JSON is the rule. */
export function wantsStream ({ headers: { accept = '' } }: FastifyRequest): boolean {
  return accept.toLowerCase().includes('text/event-stream')
}

/** Throws NOT_ACCEPTABLE if the client refuses a stream; what curl sends and no header at all do not. */
export function assertAcceptsStream (request: FastifyRequest): void {
  const { accept } = request.headers
  if (accept !== undefined && accept !== '' && !wantsStream(request) && !/(^|[\s,])(text|\*)\/\*/.test(accept)) throw runsError('NOT_ACCEPTABLE')
}

/**
 * Answers with a stream, which Fastify leaves to us from here on, and which ends when the requester's identity does. Keeps
 * the headers that the host's hooks have set.
 */
export function replyWithStream (reply: FastifyReply, sse: SseConnections, opening: Opening): FastifyReply {
  reply.hijack()
  try {
    // The client may have left while the log was read; then nobody would ever end the subscription.
    if (reply.raw.req.socket.destroyed) opening.cancel()
    else sse.open(reply.raw, reply.getHeaders() as OutgoingHttpHeaders, opening, reply.request.runsExpiresAt)
  } catch (error) {
    opening.cancel()
    throw error
  }
  return reply
}
