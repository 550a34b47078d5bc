/* What this page has sent and the log does not have yet: on its way, waiting, or refused. None is lost. */
import { RunsClientError } from '../errors.ts'
import type { Message } from '../transport.ts'
import type { UiMessage, UiPart } from './ui-messages.ts'

/** A message with an id. */
type NamedMessage = Message & { messageId: string }

interface Outgoing {
  message: NamedMessage
  parts: UiPart[]
  state: 'sending' | 'sent' | 'failed'
  /** What is shown of it, while that does not change. */
  shown: UiMessage | null
}

export class Outbox {
  readonly #send: (message: NamedMessage) => Promise<unknown>
  readonly #changed: () => void
  /** In the order in which they were sent. */
  readonly #outgoing = new Map<string, Outgoing>()

  constructor (send: (message: NamedMessage) => Promise<unknown>, changed: () => void) {
    this.#send = send
    this.#changed = changed
  }

  /** Sends a message. Rejects with what the server says; then it stays, until it is sent again or taken back. */
  async send (parts: UiPart[], message: NamedMessage): Promise<void> {
    const outgoing: Outgoing = { message, parts, state: 'failed', shown: null }
    this.#outgoing.set(message.messageId, outgoing)
    await this.#deliver(outgoing)
  }

  /** Sends one again. Under its id it is one run, though the first may have come. */
  async retry (messageId: string): Promise<void> {
    const outgoing = this.#outgoing.get(messageId)
    if (outgoing?.state === 'failed') await this.#deliver(outgoing)
  }

  async retryAll (): Promise<void> {
    for (const messageId of [...this.#outgoing.keys()]) await this.retry(messageId)
  }

  takeBack (messageId: string): UiPart[] {
    const outgoing = this.#outgoing.get(messageId)
    if (outgoing?.state !== 'failed') return []
    this.#outgoing.delete(messageId)
    this.#changed()
    return outgoing.parts
  }

  /** The message sent last whose run is not known yet; undefined if there is none. */
  sending (): string | undefined {
    return [...this.#outgoing.values()].findLast(({ state }) => state !== 'failed')?.message.messageId
  }

  /** Forgets what the log has. */
  settle (known: ReadonlySet<string>): void {
    for (const messageId of this.#outgoing.keys()) if (known.has(messageId)) this.#outgoing.delete(messageId)
  }

  /** What is to be shown behind the log; `waiting` are the runs that wait, by their messages. */
  messages (waiting: ReadonlyMap<string, string>): UiMessage[] {
    return [...this.#outgoing.entries()].map(([id, outgoing]) => {
      const runId = waiting.get(id) ?? null
      const pending = outgoing.state === 'failed' ? 'failed' : runId === null ? 'sending' : 'waiting'
      const { shown } = outgoing
      if (shown?.metadata.run.pending === pending && shown.metadata.run.id === runId) return shown
      outgoing.shown = { id, role: 'user', parts: outgoing.parts, metadata: { run: { id: runId, reason: null, pending } } }
      return outgoing.shown
    })
  }

  async #deliver (outgoing: Outgoing): Promise<void> {
    this.#be(outgoing, 'sending')
    try {
      await this.#send(outgoing.message)
      this.#be(outgoing, 'sent')
    } catch (error) {
      this.#be(outgoing, 'failed')
      throw error instanceof RunsClientError ? error : new RunsClientError('NETWORK', 'The message was not sent.', { cause: error })
    }
  }

  #be (outgoing: Outgoing, state: Outgoing['state']): void {
    outgoing.state = state
    this.#changed()
  }
}
