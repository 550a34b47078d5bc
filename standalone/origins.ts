/* Which pages of other origins may use the server: those that are listed, and no others. */
import cors from '@fastify/cors'
import type { FastifyInstance } from 'fastify'
import { runsError } from '../lib/protocol/errors.ts'
import { isForeignPage, isOrigin } from '../plugins/http/origins.ts'

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])
/** How long a browser may keep the answer to a preflight, in s. */
const PREFLIGHT_AGE = 600

/** Origins in a list with commas. Throws at what is no exact origin. */
export function readOrigins (list: string): string[] {
  return list.split(',').map((each) => {
    const origin = each.trim()
    if (!isOrigin(origin)) throw new Error('it must be origins as browsers send them, such as https://app.example, with commas between them.')
    return origin
  })
}

/**
 * Lets pages of `origins` use every route, and refuses from other origins what CORS does not preflight: a POST without a
 * body, which a browser sends with its cookies before it asks anybody, and WebSockets. They get FORBIDDEN.
 */
export async function allowOrigins (app: FastifyInstance, origins: string[]): Promise<void> {
  app.addHook('onRequest', async (request) => {
    if (SAFE_METHODS.has(request.method) && request.headers.upgrade === undefined) return
    if (isForeignPage(request, origins)) throw runsError('FORBIDDEN')
  })
  if (origins.length === 0) return
  await app.register(cors, {
    origin: origins,
    credentials: true,
    methods: ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'],
    allowedHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key', 'Last-Event-ID'],
    exposedHeaders: ['Location', 'Retry-After'],
    maxAge: PREFLIGHT_AGE
  })
}
