/* How JSON bodies are read: an empty one is none, and what would be slow to parse, or too deep to pass on, is refused before. */
import type { FastifyInstance } from 'fastify'
import { runsError } from '../../lib/protocol/errors.ts'
import { exceeds, MAX_DEPTH } from '../../lib/protocol/json.ts'

/**
 * Reads JSON bodies of the scope's routes. One with more than `maxValues` values is refused with BODY_TOO_COMPLEX: a mebibyte
 * of `[],[],…` takes a hundred times as long to parse as one of text. So is one nested deeper than MAX_DEPTH.
 */
export function readJsonBodies (scope: FastifyInstance, maxValues: number): void {
  const parse = scope.getDefaultJsonParser('error', 'error')
  const most = { values: maxValues, depth: MAX_DEPTH }
  scope.removeContentTypeParser('application/json')
  scope.addHook('onRequest', async ({ raw: { headers } }) => {
    // Clients and their wrappers name a type whether or not there is a body.
    const isEmpty = headers['transfer-encoding'] === undefined && (headers['content-length'] === undefined || headers['content-length'] === '0')
    if (isEmpty) delete headers['content-type']
  })
  scope.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') return done(null, null)
    if (exceeds(body, most)) return done(runsError('BODY_TOO_COMPLEX'))
    void parse(request, body, done)
  })
}
