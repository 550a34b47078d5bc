/*
 * The calls of one answer, put together from their pieces. Services differ in what they give with each piece: indexes that are
 * missing, null or always 0; ids that come late, never, again, or new with each piece; names that come again; calls that are
 * whole at once.
 */
import type { ChatCompletionChunk } from 'openai/resources/chat/completions'
import { ProviderError } from '../../lib/provider/provider.ts'
import { newCallId } from '../common/call-id.ts'
import type { ModelCall } from './model-call.ts'

/** Of the arguments of all calls, in characters: nothing else bounds them, as they are no events before the answer is complete. */
const MAX_ARGUMENTS = 4 * 1024 * 1024
/** So many calls in one answer. */
const MAX_CALLS = 128

export type CallDelta = Partial<ChatCompletionChunk.Choice.Delta.ToolCall>

interface OpenCall {
  call: ModelCall
  index: number | undefined
  nativeId: string
}

interface Piece {
  index: number | undefined
  nativeId: string
  name: string
  json: string
}

export class CallAssembly {
  readonly #open: OpenCall[] = []
  readonly #toolNames: ReadonlySet<string>
  #length = 0

  constructor (toolNames: ReadonlySet<string>) {
    this.#toolNames = toolNames
  }

  /** The calls so far; what has neither a name nor arguments is none. */
  get calls (): ModelCall[] {
    return this.#open.map(({ call }) => call).filter(({ name, json }) => name !== '' || json.trim() !== '')
  }

  /** Takes the pieces of one chunk. Throws a ProviderError MODEL_FAILED for calls without an end. */
  grow (deltas: CallDelta[]): void {
    const taken = new Set<OpenCall>()
    for (const delta of deltas) taken.add(this.#take(delta, taken))
  }

  /** `taken` has the calls that other pieces of the same chunk belong to. */
  #take ({ index, id, type, function: of, ...extra }: CallDelta, taken: ReadonlySet<OpenCall>): OpenCall {
    const given: unknown = of?.arguments
    const isWhole = typeof given === 'object' && given !== null
    const piece = { index: index ?? undefined, nativeId: id ?? '', name: of?.name ?? '', json: isWhole ? JSON.stringify(given) : typeof given === 'string' ? given : '' }
    const known = this.#goesOn(piece)
    // A chunk names each of its calls once.
    const open = known === undefined || (piece.name !== '' && taken.has(known)) ? this.#begin(piece) : known
    const { call } = open
    open.nativeId ||= piece.nativeId
    if (piece.name !== call.name) call.name += piece.name
    // Some send the whole call again at the end, or open it with an empty object.
    const isRepeated = piece.json !== '' && call.json === piece.json && isObject(call.json)
    const isReplaced = isWhole || (call.json.trim() === '{}' && piece.json.startsWith('{'))
    if (!isRepeated) call.json = isReplaced ? piece.json : call.json + piece.json
    this.#length += piece.json.length
    if (this.#length > MAX_ARGUMENTS || this.#open.length > MAX_CALLS) throw new ProviderError('The model calls tools without an end.', { code: 'MODEL_FAILED' })
    Object.assign(call.extra, extra)
    return open
  }

  /** The call that a piece is more of; undefined if it begins another. */
  #goesOn (piece: Piece): OpenCall | undefined {
    const { index, nativeId, name } = piece
    const sameIndex = this.#open.filter((open) => index === undefined || open.index === undefined || open.index === index)
    const sameId = nativeId === '' ? undefined : sameIndex.findLast((open) => open.nativeId === nativeId)
    if (sameId !== undefined) {
      const isOther = name !== '' && sameId.call.name !== '' && name !== sameId.call.name && isObject(sameId.call.json)
      return isOther ? undefined : sameId
    }
    const newest = sameIndex.at(-1)
    return newest !== undefined && !this.#isAnother(newest, piece) ? newest : undefined
  }

  /** Whether a piece begins a call behind that one, though its index does not say so. */
  #isAnother ({ call, nativeId }: OpenCall, piece: Piece): boolean {
    const isNewId = piece.nativeId !== '' && nativeId !== '' && piece.nativeId !== nativeId
    // Without a name it is no beginning, whatever its id.
    if (piece.name === '') return false
    if (call.name === '') return isNewId
    if (piece.name === call.name) return isObject(call.json) && (piece.json.trim() !== '' || isNewId)
    // Some send names in pieces; the first may be the name of another tool.
    if (!isNewId && call.json === '' && this.#toolNames.has(call.name + piece.name)) return false
    return isNewId || this.#toolNames.has(call.name) || isObject(call.json)
  }

  #begin ({ index, nativeId }: Piece): OpenCall {
    const open = { index, nativeId, call: { id: newCallId(), name: '', json: '', extra: {} } }
    this.#open.push(open)
    return open
  }
}

/** Whether it is the JSON of an object. */
export function isObject (json: string): boolean {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}
