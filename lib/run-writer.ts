/* What a provider yields → what the run's log gets: without native ids, deltas folded, encoded once. */
import type { RunLog } from './committer.ts'
import { ASIDE_KINDS, isTransient, pendingEvent } from './event.ts'
import { Fold, type FoldedMessage } from './fold.ts'
import { MessageIds } from './message-ids.ts'
import type { CheckedEvent } from './provider-event.ts'
import { completeFields } from './run-ending.ts'
import type { Scrubber } from './scrub.ts'
import type { RunEnding } from './types.ts'

type Fields = Record<string, unknown>

const DELTA_OF = { text: 'stream_delta', thinking: 'thinking_delta' } as const
const WHOLE_OF = { stream_delta: 'text', thinking_delta: 'thinking' } as const

export class RunWriter {
  readonly #log: RunLog
  readonly #scrubber: Scrubber
  readonly #fold = new Fold()
  readonly #ids = new MessageIds()
  /** The message that the provider streams without a name. */
  #unnamed: string | null = null

  constructor (log: RunLog, scrubber: Scrubber) {
    this.#log = log
    this.#scrubber = scrubber
  }

  /** Writes one event of the provider. Throws what `JSON.stringify` throws. */
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
        if (!isTransient(kind, fields) && !ASIDE_KINDS.has(kind)) this.#writeFolded(this.#fold.takeEnded())
        this.#append(kind, fields)
    }
  }

  /** Writes the messages that are unfinished, then the terminal event of a clean ending. */
  end (ending: RunEnding): void {
    for (const { kind, messageId } of this.#fold.open()) this.#release(DELTA_OF[kind], messageId)
    this.#writeFolded(this.#fold.takeAll())
    this.#log.end(pendingEvent('complete', completeFields(this.#log.run.sessionId, ending)), ending)
  }

  #delta (kind: keyof typeof WHOLE_OF, fields: Fields): void {
    // Snapshots are made by compaction only.
    const { messageId: named, content: given, snapshot, fromSeq, ...rest } = fields as { messageId?: string, content: string } & Fields
    const messageId = this.#ids.ofDelta(WHOLE_OF[kind], named)
    if (named === undefined) this.#stream(messageId)
    const content = this.#scrubber.delta(`${kind}:${messageId}`, given)
    this.#fold.delta(kind, messageId, content)
    if (content !== '') this.#appendDelta(kind, { ...rest, messageId }, content)
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
    this.#fold.end(messageId)
  }

  #whole (kind: keyof typeof DELTA_OF, fields: Fields): void {
    const messageId = this.#ids.ofWhole(kind, fields['messageId'] as string | undefined)
    // The whole holds what was held back of its deltas.
    this.#scrubber.flush(`${DELTA_OF[kind]}:${messageId}`)
    this.#fold.whole(kind, messageId)
    this.#writeFolded(this.#fold.takeEnded())
    this.#append(kind, kind === 'text' ? { ...fields, role: 'assistant', messageId } : { ...fields, messageId })
  }

  /** Sends what the scrubber holds back of a message whose end has come. */
  #release (kind: keyof typeof WHOLE_OF, messageId: string): void {
    const content = this.#scrubber.flush(`${kind}:${messageId}`)
    if (content === '') return
    this.#fold.delta(kind, messageId, content)
    this.#appendDelta(kind, { messageId }, content)
  }

  #writeFolded (messages: FoldedMessage[]): void {
    for (const { kind, messageId, content } of messages) {
      this.#ids.over(kind, messageId)
      this.#append(kind, kind === 'text' ? { role: 'assistant', messageId, content } : { messageId, content })
    }
  }

  #appendDelta (kind: string, fields: Fields, content: string): void {
    // The content is scrubbed as part of its stream: alone it may look like a short id.
    const json = this.#scrubber.fields(fields).json.slice(0, -1)
    this.#push(kind, fields, `${json},"content":${JSON.stringify(content)}}`)
  }

  #append (kind: string, fields: Fields): void {
    this.#push(kind, fields, this.#scrubber.fields(fields).json)
  }

  #push (kind: string, fields: Fields, json: string): void {
    this.#log.append({ kind: this.#scrubber.text(kind), transient: isTransient(kind, fields), timestamp: new Date().toISOString(), fields: json })
  }
}
