/* A dialect that says in its frames what it was asked to tell. */
import Type from 'typebox'
import type { Dialect, DialectRequest } from '../../transports/dialects/dialect.ts'

/** Bodies are requests in our own words; `throwAt` is a text at which the encoder breaks, `last` what it says when a stream is broken off. */
export function tracingDialect ({ throwAt = null, last = 'broken' }: { throwAt?: string | null, last?: string } = {}): Dialect {
  return {
    headers: { 'x-dialect': 'tracing' },
    body: Type.Object({ sessionId: Type.String() }),
    read: (body) => body as DialectRequest,
    encoder: ({ runId, body, waits }) => {
      const frame = (...words: string[]): string => `data: ${words.join(' ')}\n\n`
      const skipped: string[] = []
      return {
        paused: false,
        begin: () => frame('begin', body === null ? 'get' : 'post'),
        skip (event) {
          skipped.push(event.kind)
        },
        encode (event) {
          if (event.runId !== runId) throw new Error('an event of another run')
          if (event.kind === 'text' && event.content === throwAt) throw new Error('no words for this')
          const before = skipped.length === 0 ? '' : frame('skipped', ...skipped.splice(0))
          if (event.kind === 'permission_request' && waits(event)) this.paused = true
          return before + frame(event.kind, ...event.kind === 'text' ? [String(event.content)] : [], ...this.paused ? ['paused'] : [])
        },
        broken: ({ kind }) => last === '' ? '' : frame(last, kind)
      } as ReturnType<Dialect['encoder']> & { paused: boolean }
    },
    messages: (events) => events.map((event) => event.kind === 'text' ? `${event.role}: ${String(event.content)}` : event.kind)
  }
}
