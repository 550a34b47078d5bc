/* How many bytes of request bodies of one owner may be on their way: bodies that are sent slowly, and many at once, are held in memory. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Quota } from '../../lib/common/quota.ts'
import { runsError } from '../../lib/protocol/errors.ts'

/** Counts bodies from here on, for every route that is added to the scope. Requests beyond the limit get TOO_MANY_REQUEST_BYTES. */
export function budgetRequests (scope: FastifyInstance, bytesPerOwner: number): void {
  if (bytesPerOwner === 0) return
  const quota = new Quota(bytesPerOwner)
  const received = new WeakMap<FastifyRequest, () => void>()
  scope.addHook('onRequest', async (request, reply) => {
    const { agentRuns: { owner }, headers, routeOptions: { bodyLimit = 0 } } = request
    const length = headers['content-length'] ?? (headers['transfer-encoding'] === undefined ? 0 : Infinity)
    // A body that is too large is refused before it is read.
    const bytes = Math.min(Number(length), bodyLimit)
    if (bytes === 0) return
    if (!quota.take(owner, bytes)) throw runsError('TOO_MANY_REQUEST_BYTES')
    let isHeld = true
    const giveBack = (): void => {
      if (isHeld) quota.giveBack(owner, bytes)
      isHeld = false
    }
    received.set(request, giveBack)
    // The peer may go away in the middle of it.
    reply.raw.on('close', giveBack)
  })
  scope.addHook('preValidation', async (request) => received.get(request)?.())
}
