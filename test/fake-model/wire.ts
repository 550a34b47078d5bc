/* What the model APIs have in common: what is asked of a model, what it says, and how that is put on a wire. */

/** A tool call that a model makes. */
export interface Call {
  id: string
  name: string
  input: unknown
}

/** What comes back from a tool. */
export interface Result {
  id: string
  text: string
  isError: boolean
}

/** One turn of a request, in the words of no API. */
export type Turn = { role: 'user', texts: string[] } | { role: 'assistant', calls: string[] } | { role: 'tool', results: Result[] }

/** A request, in the words of no API. */
export interface Asked {
  model: string
  stream: boolean
  turns: Turn[]
  tools: string[]
}

/** Why a model stops: by itself, for its tools, or as a test wants it, in the words of the API. */
export type Stop = { why: 'end' } | { why: 'tools' } | { why: 'as told', reason: string }

/** What a model says, in order. */
export type Step =
  | { type: 'reasoning', text: string }
  | { type: 'text', text: string }
  | { type: 'call', call: Call }

export interface Usage {
  input: number
  output: number
  reasoning: number
}

/** Writes one answer as its API does. Each method returns the bytes of what it adds to the stream. */
export interface Writer {
  start (): string
  step (step: Step): string
  end (stop: Stop, usage: Usage): string
  /** An error in the middle of a stream. */
  failure (message: string): string
  /** The whole answer, for a client that did not ask for a stream. */
  whole (steps: Step[], stop: Stop, usage: Usage): unknown
}

/** One model API. */
export interface Api {
  /** Reads a request. Throws a `Refused` for what the service refuses. */
  read (body: Record<string, unknown>, path: string): Asked
  writer (asked: Asked, body: Record<string, unknown>): Writer
  /** The body of an HTTP error. */
  error (status: number, message: string): unknown
}

/** A request that the service answers with 400. */
export class Refused extends Error {}

/** Agents put what they know of their surroundings before the user's words, in tags. */
const SURROUNDINGS = /^\s*<([a-z][\w -]*)>[^]*<\/\1>\s*$|^This is the Gemini CLI/

/** The texts that a user wrote: without the agent's own. */
export function userTexts (texts: Array<string | undefined>): string[] {
  return texts.filter((text): text is string => text !== undefined && text !== '' && !SURROUNDINGS.test(text))
}

/** Refuses calls that have no result right behind them, as the services do. */
export function refuseDangling (turns: Turn[], words: (id: string) => string): void {
  for (const [i, turn] of turns.entries()) {
    if (turn.role !== 'assistant') continue
    const results = new Set<string>()
    for (const next of turns.slice(i + 1)) {
      if (next.role === 'user' && next.texts.length === 0) continue
      if (next.role !== 'tool') break
      for (const { id } of next.results) results.add(id)
    }
    const dangling = turn.calls.find((id) => !results.has(id))
    if (dangling !== undefined) throw new Refused(words(dangling))
  }
}

let ids = 0

/** An id such as the services give. */
export function newId (prefix: string): string {
  return `${prefix}${String(++ids).padStart(24, '0')}`
}

/** A JSON value as text, cut in pieces as models stream it. */
export function pieces (value: unknown): string[] {
  return JSON.stringify(value).match(/[^]{1,7}/g) ?? []
}

/** A frame of Server-Sent Events. */
export function sse (data: unknown, event?: string): string {
  return `${event === undefined ? '' : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`
}

/** The parts of a content that may be a string. */
export function partsOf<T extends { text?: string, type?: string }> (content: string | T[] | null | undefined): T[] {
  if (typeof content === 'string') return [{ type: 'text', text: content } as T]
  return content ?? []
}
