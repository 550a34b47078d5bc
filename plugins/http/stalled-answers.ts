/* Large answers that nobody takes: they would stay in memory for as long as the connection is there. Streams look after themselves. */
import type { ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'

/** Characters. What is shorter is the kernel's as soon as it is sent. */
const LARGE = 64 * 1024

/** Cuts the connection of a large answer of which no byte is taken for so many ms. */
export function cutStalledAnswers (scope: FastifyInstance, stallTimeoutMs: number): void {
  scope.addHook('onSend', async (_request, reply, payload) => {
    if (typeof payload === 'string' && payload.length > LARGE) reply.raw.setTimeout(stallTimeoutMs, cutIfStalled)
  })
}

// The timer counts the bytes that the kernel takes; when it fires before any had to be sent, there is nothing to cut.
function cutIfStalled (this: ServerResponse): void {
  if (this.writableLength > 0) this.destroy()
}
