/* One stream to a client of the AI SDK. */
import type { Event } from '../../../lib/protocol/event.ts'
import type { ClosingFrame, DeletedFrame } from '../../../lib/protocol/words.ts'
import { beginsWith, markOf, plain, type TextMark } from '../common/growing-texts.ts'
import type { DialectEncoder, DialectStream } from '../dialect.ts'
import { DONE, framesOf } from './chunks.ts'
import { type AiSdkRequest, heldIn } from './request.ts'
import { type ApprovalStyle, RunChunks } from './run-chunks.ts'

/**
 * Where an approval waits the stream ends, as these clients answer only then; the stream of their answer goes on behind it. That one
 * must see the run as the client does: what the client was asked is remembered as it was told, though it is answered by now.
 */
export class AiSdkEncoder implements DialectEncoder {
  readonly #runId: string
  readonly #run: RunChunks
  readonly #asked: ReadonlySet<string>
  readonly #mustWait: (event: Event) => boolean
  /** What the client has of a text whose deltas were compacted since: as much of what it posted as no event has told. */
  #lost: string
  /** The same once nothing more is skipped: it may be megabytes, and a stream lasts for hours. */
  #lostMark: TextMark | null = null
  #paused = false

  constructor (approvals: ApprovalStyle, { runId, body, waits }: DialectStream<AiSdkRequest>) {
    const { asked, text } = heldIn(body)
    this.#lost = text
    this.#runId = runId
    this.#asked = asked
    this.#mustWait = (event) => approvals === 'parts' && event.kind === 'permission_request' && waits(event)
    this.#run = new RunChunks(approvals, (request) => asked.has(request.requestId) || waits(request))
  }

  get paused (): boolean {
    return this.#paused
  }

  begin (): string {
    return framesOf([{ type: 'start', messageId: this.#runId }])
  }

  skip (event: Event): void {
    for (const chunk of this.#run.tell(event)) {
      if (chunk.type === 'text-delta') this.#lost = this.#lost.startsWith(chunk.delta) ? this.#lost.slice(chunk.delta.length) : ''
    }
    if (event.kind === 'permission_request' && this.#asked.has(event.requestId)) this.#run.finish()
  }

  encode (event: Event): string {
    if (this.#lost !== '') {
      this.#lostMark = markOf(this.#lost)
      this.#lost = ''
    }
    if (event.kind === 'text' && this.#lostMark !== null) {
      const content = plain(event.content)
      if (beginsWith(content, this.#lostMark)) {
        this.#run.had(event.messageId, content.slice(0, this.#lostMark.length))
        this.#lostMark = null
      }
    }
    const chunks = this.#run.tell(event)
    this.#paused = this.#mustWait(event)
    if (this.#paused) chunks.push(...this.#run.finish(), { type: 'finish', finishReason: 'tool-calls' })
    return framesOf(chunks) + (this.#paused || event.kind === 'complete' ? DONE : '')
  }

  broken ({ kind }: ClosingFrame | DeletedFrame): string {
    // To a client that is cut off the run goes on; it comes back for it.
    if (kind === 'stream_closing') return ''
    return framesOf([...this.#run.finish(), { type: 'error', errorText: 'The session was deleted.' }]) + DONE
  }
}
