/*
 * No browser is to take an answer for something else than its type says. Every answer carries the header for that, also
 * those that Fastify gives before it knows a route, for which no hook of the app runs.
 */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionError, FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

const HEADER = 'x-content-type-options'
const VALUE = 'nosniff'

/** What is wrong with bytes that Node could not read as a request, by its code; else they are no HTTP. */
const UNREADABLE: Record<string, [statusCode: number, message: string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request took too long to arrive.'],
  HPE_HEADER_OVERFLOW: [431, 'The headers of the request are too large.']
}

/** Puts the header on every answer to a request that has been routed, if only to the handler of 404s. To be called before anything else is added to the app. */
export function forbidSniffing (app: FastifyInstance): void {
  app.addHook('onRequest', async (_request, reply) => { reply.header(HEADER, VALUE) })
}

/** For Fastify's `frameworkErrors`: answers requests that cannot be routed, as Fastify does. */
export function answerUnrouted ({ statusCode = 500, code, message }: FastifyError, _request: FastifyRequest, reply: FastifyReply): void {
  // Not the error itself: Fastify would log it, and it quotes the URL.
  void reply.code(statusCode).header(HEADER, VALUE).send({ statusCode, code, error: STATUS_CODES[statusCode], message })
}

/** For Fastify's `clientErrorHandler`: answers bytes that are no request, as Fastify does, and closes their connection. */
export function answerUnreadable (this: FastifyInstance, error: ConnectionError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  this.log.trace({ err: error }, 'client error')
  const [statusCode, message] = UNREADABLE[error.code] ?? [400, 'This is no HTTP request.']
  const body = JSON.stringify({ statusCode, error: STATUS_CODES[statusCode], message })
  if (socket.writable) socket.write(`HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode]}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n${HEADER}: ${VALUE}\r\nconnection: close\r\n\r\n${body}`)
  socket.destroy(error)
}
