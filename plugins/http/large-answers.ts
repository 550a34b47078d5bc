/* Large answers that nobody takes: they would stay in memory for as long as their connections are there. Streams look after themselves. */
import type { ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { Quota } from '../../lib/common/quota.ts'
import { runsError } from '../../lib/protocol/errors.ts'

/** Characters. What is shorter is the kernel's as soon as it is sent. */
const LARGE = 64 * 1024

/**
 * Cuts the connection of a large answer of which no byte is taken for `stallTimeoutMs`. Of one owner as many characters of large answers
 * are on their way as `perOwner` (0 = no limit); beyond that their requests get TOO_MANY_ANSWER_BYTES.
 */
export function boundLargeAnswers (scope: FastifyInstance, { stallTimeoutMs, perOwner }: { stallTimeoutMs: number, perOwner: number }): void {
  const quota = new Quota(perOwner)
  scope.addHook('onSend', async (request, { raw }, payload) => {
    if (typeof payload !== 'string' || payload.length <= LARGE) return
    const { owner } = request.agentRuns
    const { length } = payload
    if (!quota.take(owner, length)) throw runsError('TOO_MANY_ANSWER_BYTES')
    raw.once('close', () => quota.giveBack(owner, length))
    raw.setTimeout(stallTimeoutMs, cutIfStalled)
  })
}

// The timer counts the bytes that the kernel takes; when it fires before any had to be sent, there is nothing to cut.
function cutIfStalled (this: ServerResponse): void {
  if (this.writableLength > 0) this.destroy()
}
