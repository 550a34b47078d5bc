/* What the log says of requests: never a token. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { TOKEN_PARAMETER } from './login.ts'

/** The logger's options; lines go to `stream`, by default to standard output. */
export function logOptions (level: string, stream?: { write: (line: string) => void }) {
  return {
    level,
    ...(stream !== undefined && { stream }),
    serializers: {
      req: ({ method, url, host, ip, socket: { remotePort } }: FastifyRequest) => ({
        method, url: withoutToken(url), host, remoteAddress: ip, ...(remotePort !== undefined && { remotePort })
      })
    },
    // Node gives the bytes of a request that it could not parse with the error that is logged.
    redact: { paths: ['err.rawPacket'], remove: true }
  }
}

/** Answers requests for no route as Fastify does, but without their query, which Fastify would log with the rest. */
export function quietNotFound (app: FastifyInstance): void {
  app.setNotFoundHandler((request, reply) => { void notFound(request, reply) })
}

/** The same before the body is read, which would be held for nobody. To be called behind the hooks that refuse more. */
export function refuseUnrouted (app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    if (request.is404) return notFound(request, reply)
  })
}

function notFound ({ method, url }: FastifyRequest, reply: FastifyReply): FastifyReply {
  return reply.code(404).send({ statusCode: 404, error: 'Not Found', message: `Route ${method}:${url.split(/[?#]/, 1)[0]!} not found` })
}

/** A URL without what may be a token: every part in which the parameter's name is found, however it is written. */
export function withoutToken (url: string): string {
  return url.split(/([?#&])/).map((part) => mentionsToken(part) ? `${TOKEN_PARAMETER}=***` : part).join('')
}

function mentionsToken (part: string): boolean {
  try {
    return decodeURIComponent(part).toLowerCase().includes(TOKEN_PARAMETER)
  } catch {
    // What cannot be read may be anything.
    return true
  }
}
