/* How JSON bodies are read: what would be slow to parse, whatever its bytes, is refused before. */
import type { FastifyInstance } from 'fastify'
import { runsError } from '../lib/errors.ts'

const QUOTE = '"'
const BACKSLASH = 92

/** Reads JSON bodies of the scope's routes. One with more than `maxValues` values is refused with BODY_TOO_COMPLEX. */
export function readJsonBodies (scope: FastifyInstance, maxValues: number): void {
  const parse = scope.getDefaultJsonParser('error', 'error')
  scope.removeContentTypeParser('application/json')
  scope.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (hasMoreValues(body, maxValues)) return done(runsError('BODY_TOO_COMPLEX'))
    void parse(request, body, done)
  })
}

/**
 * Whether JSON has more than `most` values, by its commas and opening brackets: a mebibyte of `[],[],…` takes a hundred times
 * as long to parse as one of text. Looks no further than it has to.
 */
export function hasMoreValues (json: string, most: number): boolean {
  let values = 1
  for (let at = 0; at < json.length; at++) {
    const character = json[at]
    if (character === QUOTE) at = endOfString(json, at)
    else if ((character === ',' || character === '[' || character === '{') && ++values > most) return true
  }
  return false
}

function endOfString (json: string, start: number): number {
  for (let end = json.indexOf(QUOTE, start + 1); end !== -1; end = json.indexOf(QUOTE, end + 1)) {
    let escapes = 0
    while (json.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes++
    if (escapes % 2 === 0) return end
  }
  return json.length
}
