/* What a provider yields → what the run's log gets: without native ids, deltas gathered, within limits, encoded once. */
import { RUN_ERRORS } from '../protocol/errors.ts'
import { ASIDE_KINDS, isTransient, pendingEvent, timestamp } from '../protocol/event.ts'
import type { Limits } from '../protocol/limits.ts'
import { completeFields } from '../protocol/run-ending.ts'
import type { RunEnding } from '../protocol/run-state.ts'
import type { CheckedEvent } from '../provider/provider-event.ts'
import { ProviderError } from '../provider/provider.ts'
import { DeltaAccumulator, type AccumulatedMessage } from '../store/delta-accumulator.ts'
import type { RunLog } from './committer.ts'
import { MessageIds } from './message-ids.ts'
import type { Scrubber } from './scrubber.ts'

type Fields = Record<string, unknown>

const DELTA_OF = { text: 'stream_delta', thinking: 'thinking_delta' } as const
/** Messages that a run streams at once; with one more the oldest is sealed. Real agents have a few, and each is looked at with every durable event. */
const MAX_OPEN_MESSAGES = 100
/** Of a delta; snapshots are made by compaction only. */
const DELTA_FIELDS: ReadonlySet<string> = new Set(['messageId', 'content', 'snapshot', 'fromSeq'])
const NOTHING: Fields = {}
const WHOLE_OF = { stream_delta: 'text', thinking_delta: 'thinking' } as const

export class RunWriter {
  readonly #log: RunLog
  readonly #scrubber: Scrubber
  readonly #limits: Limits
  #events = 0
  #bytes = 0
  readonly #deltas = new DeltaAccumulator()
  readonly #ids = new MessageIds()
  /** The message that the provider streams without a name. */
  #unnamed: string | null = null

  /** The beginning of the newest delta without other fields, and the version of the scrubber that made it. */
  #head = { messageId: '', version: -1, json: '' }

  constructor (log: RunLog, scrubber: Scrubber, limits: Limits) {
    this.#log = log
    this.#scrubber = scrubber
    this.#limits = limits
  }

  /** Writes one event of the provider. Throws what `toJson` throws, and a `ProviderError` above a limit. */
  write ({ kind, fields }: CheckedEvent): void {
    switch (kind) {
      case 'stream_delta':
      case 'thinking_delta':
        return this.#delta(kind, fields)
      case 'stream_end':
        return this.#streamEnd(fields)
      case 'text':
      case 'thinking':
        return this.#whole(kind, fields)
      default:
        // The history keeps the order in which things were said and done.
        if (!isTransient(kind, fields) && !ASIDE_KINDS.has(kind)) this.#writeAccumulated(this.#deltas.takeEnded())
        this.#append(kind, fields)
    }
  }

  /** Writes what follows from an event that was written before: whatever the limits. */
  writeOutcome (kind: 'permission_resolved' | 'permission_cancelled', fields: Fields): void {
    this.#writeAccumulated(this.#deltas.takeEnded())
    this.#push(kind, fields, this.#scrubber.fields(fields).json)
  }

  /** Writes the messages that are unfinished, the end of approvals that still wait, then the terminal event of a clean ending. */
  end (ending: RunEnding, waiting: readonly string[] = []): void {
    for (const { kind, messageId } of this.#deltas.open()) this.#release(DELTA_OF[kind], messageId)
    this.#writeAccumulated(this.#deltas.takeAll())
    for (const requestId of waiting) this.writeOutcome('permission_cancelled', { requestId, reason: ending.reason })
    this.#log.end(pendingEvent('complete', completeFields(this.#log.run.sessionId, ending)), ending)
  }

  #delta (kind: keyof typeof WHOLE_OF, fields: Fields): void {
    const { messageId: named, content: given } = fields as { messageId?: string, content: string }
    const rest = Object.keys(fields).length <= 2 && named !== undefined ? NOTHING : without(fields, DELTA_FIELDS)
    const messageId = this.#ids.ofDelta(WHOLE_OF[kind], named)
    if (named === undefined) this.#stream(messageId)
    const stream = `${kind}:${messageId}`
    const content = this.#scrubber.delta(stream, given)
    if (content !== '') this.#pushCounted(kind, rest, this.#deltaHead(rest, messageId) + JSON.stringify(content) + '}')
    const length = this.#deltas.delta(kind, messageId, content)
    if (this.#deltas.size > MAX_OPEN_MESSAGES) this.#sealOldest()
    if (length >= this.#limits.messageBytes && !this.#scrubber.holds(stream)) this.#seal(WHOLE_OF[kind], messageId)
  }

  #sealOldest (): void {
    const [oldest] = this.#deltas.open()
    const { kind, messageId } = oldest!
    this.#release(DELTA_OF[kind], messageId)
    this.#seal(kind, messageId)
  }

  /** Keeps what there is of a long message as a whole one; what follows goes on as the next. */
  #seal (kind: keyof typeof DELTA_OF, messageId: string): void {
    const sealed = this.#deltas.take(kind, messageId)
    // All of it may have been held back.
    if (sealed === undefined) return
    this.#ids.seal(kind, messageId, sealed.content.length)
    this.#writeWhole(sealed)
  }

  /** Without names there is one message at a time: another one's beginning is the end of the last. */
  #stream (messageId: string): void {
    if (this.#unnamed !== null && this.#unnamed !== messageId) this.#endMessage(this.#unnamed)
    this.#unnamed = messageId
  }

  #streamEnd (fields: Fields): void {
    const messageId = this.#ids.ofEnd(fields['messageId'] as string | undefined)
    if (messageId === null) return
    this.#endMessage(messageId)
    this.#append('stream_end', { ...fields, messageId })
  }

  #endMessage (messageId: string): void {
    this.#release('stream_delta', messageId)
    this.#release('thinking_delta', messageId)
    this.#deltas.end(messageId)
  }

  #whole (kind: keyof typeof DELTA_OF, fields: Fields): void {
    const { messageId, sealed } = this.#ids.ofWhole(kind, fields['messageId'] as string | undefined)
    // What was sealed is counted as it was written: without native ids.
    const content = this.#scrubber.message(fields['content'] as string).slice(sealed)
    // A whole that ends where the last seal is, or before it, says nothing of what was seen since: that is kept as it is.
    const saysNothing = content === '' && sealed > 0
    if (saysNothing) {
      this.#endMessage(messageId)
    } else {
      // The whole holds what was held back of its deltas.
      this.#scrubber.flush(`${DELTA_OF[kind]}:${messageId}`)
      this.#deltas.whole(kind, messageId)
    }
    this.#writeAccumulated(this.#deltas.takeEnded())
    if (!saysNothing) this.#append(kind, { ...fields, content, messageId, ...(kind === 'text' && { role: 'assistant' }) })
  }

  /** Sends what the scrubber holds back of a message whose end has come. */
  #release (kind: keyof typeof WHOLE_OF, messageId: string): void {
    const content = this.#scrubber.flush(`${kind}:${messageId}`)
    if (content === '') return
    this.#deltas.delta(kind, messageId, content)
    this.#push(kind, NOTHING, this.#deltaHead(NOTHING, messageId) + JSON.stringify(content) + '}')
  }

  #writeAccumulated (messages: AccumulatedMessage[]): void {
    for (const message of messages) {
      this.#ids.over(message.kind, message.messageId)
      this.#writeWhole(message)
    }
  }

  /** What was seen as deltas is kept, whatever the limits. */
  #writeWhole ({ kind, messageId, content }: AccumulatedMessage): void {
    const fields = kind === 'text' ? { role: 'assistant', messageId, content } : { messageId, content }
    this.#push(kind, fields, this.#scrubber.fields(fields).json)
  }

  /**
   * The JSON of a delta up to its content, which is scrubbed as part of its stream: alone it may look like a short id. Most
   * deltas have the same as the one before.
   */
  #deltaHead (rest: Fields, messageId: string): string {
    const isPlain = rest === NOTHING
    const { version } = this.#scrubber
    if (isPlain && messageId === this.#head.messageId && version === this.#head.version) return this.#head.json
    const json = `${this.#scrubber.fields({ ...rest, messageId }).json.slice(0, -1)},"content":`
    if (isPlain) this.#head = { messageId, version, json }
    return json
  }

  #append (kind: string, fields: Fields): void {
    this.#pushCounted(kind, fields, this.#scrubber.fields(fields).json)
  }

  #pushCounted (kind: string, fields: Fields, json: string): void {
    const { eventBytes, maxEventsPerRun, maxBytesPerRun } = this.#limits
    const bytes = Buffer.byteLength(json)
    if (bytes > eventBytes) {
      const smaller = withNote(kind, fields, bytes)
      if (smaller === null) throw tooMuch('EVENT_TOO_LARGE')
      return this.#pushCounted(kind, smaller, this.#scrubber.fields(smaller).json)
    }
    if (++this.#events > maxEventsPerRun) throw tooMuch('TOO_MANY_EVENTS')
    this.#bytes += bytes
    if (this.#bytes > maxBytesPerRun) throw tooMuch('RUN_TOO_LARGE')
    this.#push(kind, fields, json)
  }

  #push (kind: string, fields: Fields, json: string): void {
    this.#log.append({ kind: this.#scrubber.text(kind), transient: isTransient(kind, fields), timestamp: timestamp(), fields: json })
  }
}

/** What is too large of a tool, or of an event of the provider's own, costs itself, not the run: the event with a note in its place. Null for any other event, and for one that has a note. */
function withNote (kind: string, fields: Fields, bytes: number): Fields | null {
  const note = `[Left out: ${bytes} bytes are more than an event may have.]`
  const { toolInput, toolResult, content, data, entries } = fields
  const isNoted = (value: unknown): boolean => typeof value === 'string' && value.startsWith('[Left out: ')
  if (kind === 'tool_use' && !isNoted(toolInput)) return { ...fields, toolInput: note }
  if (kind === 'tool_update' && content !== undefined && !isNoted(content)) return { ...fields, content: note }
  if (kind === 'tool_result' && !isNoted((toolResult as { content: unknown }).content)) return { ...fields, toolResult: { ...toolResult as object, content: note } }
  if (kind === 'custom' && !isNoted(data)) return { ...fields, data: note }
  if (kind === 'plan' && Array.isArray(entries) && !isNoted(entries[0])) return { ...fields, entries: [note] }
  return null
}

function without (fields: Fields, names: ReadonlySet<string>): Fields {
  const others = Object.entries(fields).filter(([name]) => !names.has(name))
  return others.length === 0 ? NOTHING : Object.fromEntries(others)
}

function tooMuch (code: 'EVENT_TOO_LARGE' | 'TOO_MANY_EVENTS' | 'RUN_TOO_LARGE'): ProviderError {
  return new ProviderError(RUN_ERRORS[code], { code })
}
