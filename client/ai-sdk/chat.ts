/*
 * The `Chat` of the AI SDK over a session's log. The SDK keeps the state and renders it; what there is comes from the log, by the
 * client library: a reload, a cut, a page in the background, another tab and a queue are one and the same.
 */
import type { RunsClient } from '../client.ts'
import { newIdempotencyKey } from '../idempotency-key.ts'
import type { ConnectionState } from '../options.ts'
import type { TranscriptRun } from '../transcript.ts'
import type { Message } from '../transport.ts'
import { contentOf, type OutgoingMessage, partsOf } from './content.ts'
import { Outbox } from './outbox.ts'
import { SessionLog } from './session-log.ts'
import { type ApprovalStyle, messagesOfRun, type UiMessage, type UiPart, waitingMessage } from './ui-messages.ts'

export interface AgentRunsChatOptions {
  /** The session. */
  id: string
  client: RunsClient
  /** Of messages that say nothing else. Default of `onBusy`: 'queue'. */
  message?: Pick<Message, 'onBusy' | 'provider' | 'options'>
  /** Events of the history that are loaded at once, 1 to 500. Default: 100. */
  limit?: number
  /** Default: 'parts'; give 'data' for AI SDK 5, which has no approvals on tools. */
  approvals?: ApprovalStyle
  onConnection?: (state: ConnectionState) => void
}

/** What a chat has beside what it has of the AI SDK. */
export interface AgentRunsChat {
  /** Loads the history and follows the session, until the answered function is called. For `useEffect`. */
  connect: () => () => void
  /** Whether the history goes on before the first message. */
  readonly hasOlder: boolean
  loadOlder: () => Promise<void>
  /** Sends a message again that was not taken; it runs once. */
  retry: (messageId: string) => Promise<void>
  /** Takes a message back that was not taken: its parts, for the composer. */
  takeBack: (messageId: string) => UiPart[]
}

/** What is used of a chat, of whichever version. */
interface SdkChat {
  messages: unknown[]
  state: { status: string, error: Error | undefined }
}

/** A chat for `useChat({ chat })` of AI SDK 5, 6 and 7; `Chat` is that of `@ai-sdk/react` (or of the SDK's Vue or Svelte package). */
export function agentRunsChat<C extends object> (Chat: new (init: never) => C, options: AgentRunsChatOptions): C & AgentRunsChat {
  const chat = new Chat({ id: options.id } as never)
  return new LoggedChat(chat as unknown as SdkChat, options).take(chat)
}

class LoggedChat {
  readonly #chat: SdkChat
  readonly #options: AgentRunsChatOptions
  readonly #log: SessionLog
  readonly #outbox: Outbox
  readonly #messagesOf = new WeakMap<TranscriptRun, UiMessage[]>()
  #error: Error | null = null
  /** The run whose failure the user has put aside. */
  #cleared: string | null = null
  #scheduled = false
  #connections = 0

  constructor (chat: SdkChat, options: AgentRunsChatOptions) {
    this.#chat = chat
    this.#options = options
    const { client, id, limit = 100, onConnection = () => {} } = options
    const changed = (): void => this.#changed()
    this.#log = new SessionLog(client, id, limit, { changed, failed: (error) => this.#fail(error), connection: onConnection })
    this.#outbox = new Outbox((message) => client.send(id, { onBusy: 'queue', ...options.message, ...message }), changed)
  }

  /** `chat` with what we do in place of it, and beside it. */
  take<C extends object> (chat: C): C & AgentRunsChat {
    const log = this.#log
    const ours = {
      connect: () => this.#connect(),
      loadOlder: () => log.loadOlder(),
      retry: (messageId: string) => this.#attempt(() => this.#outbox.retry(messageId)),
      takeBack: (messageId: string) => this.#outbox.takeBack(messageId),
      sendMessage: (message?: OutgoingMessage, options?: { body?: Partial<Message> }) => this.#send(message, options),
      regenerate: () => this.#regenerate(),
      stop: () => this.#stop(),
      resumeStream: async () => log.reconnect(),
      clearError: () => this.#clearError(),
      addToolApprovalResponse: ({ id, approved, reason }: { id: string, approved: boolean, reason?: string }) => this.#approve(id, approved, reason)
    }
    Object.defineProperty(chat, 'hasOlder', { get: () => log.hasMore })
    return Object.assign(chat, ours) as unknown as C & AgentRunsChat
  }

  #connect (): () => void {
    if (this.#connections++ === 0) void this.#log.open()
    let isOpen = true
    return () => {
      if (!isOpen) return
      isOpen = false
      if (--this.#connections === 0) this.#log.close()
    }
  }

  async #send (message: OutgoingMessage | undefined, options: { body?: Partial<Message> } = {}): Promise<void> {
    await this.#attempt(async () => {
      // As the AI SDK: again what has had no answer.
      if (message === undefined) return this.#outbox.retryAll()
      const parts = await partsOf(message)
      const { onBusy, provider, options: asked } = options.body ?? {}
      await this.#outbox.send(parts, { content: contentOf(parts), messageId: message.id ?? newIdempotencyKey(), ...onBusy && { onBusy }, ...provider !== undefined && { provider }, ...asked && { options: asked } })
    })
  }

  /** Asks the newest message again. The log keeps the answer that there was. */
  async #regenerate (): Promise<void> {
    const last = (this.#chat.messages as UiMessage[]).findLast(({ role }) => role === 'user')
    if (last !== undefined) await this.#send({ parts: last.parts })
  }

  async #stop (): Promise<void> {
    const { client, id } = this.#options
    const running = this.#running()
    const messageId = this.#outbox.sending()
    if (running === undefined && messageId === undefined) return
    await this.#attempt(async () => { await client.abort(id, running === undefined ? { messageId: messageId! } : { runId: running.runId }) })
  }

  async #approve (requestId: string, allow: boolean, message: string | undefined): Promise<void> {
    await this.#attempt(() => this.#options.client.approve(this.#options.id, requestId, { allow, ...message !== undefined && { message } }))
  }

  #clearError (): void {
    this.#error = null
    this.#cleared = this.#log.runs.at(-1)?.runId ?? null
    this.#changed()
  }

  /** What goes wrong is the chat's error, as with the SDK: nothing rejects. */
  async #attempt (action: () => Promise<void>): Promise<void> {
    this.#error = null
    this.#changed()
    await action().catch((error: unknown) => this.#fail(error instanceof Error ? error : new Error(String(error))))
  }

  #fail (error: Error): void {
    this.#error = error
    this.#changed()
  }

  #running (): TranscriptRun | undefined {
    const last = this.#log.runs.at(-1)
    return last?.complete === null ? last : undefined
  }

  /** Shown once a turn: thousands of events may come at once. */
  #changed (): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setTimeout(() => {
      this.#scheduled = false
      this.#show()
    })
  }

  #show (): void {
    const { runs, waiting } = this.#log
    const said = runs.flatMap((run) => this.#shownRun(run))
    this.#outbox.settle(new Set(said.map(({ id }) => id)))
    const pending = this.#outbox.messages(new Map(waiting.map((message) => [message.messageId, message.runId])))
    const own = new Set(pending.map(({ id }) => id))
    const messages = [...said, ...waiting.filter(({ messageId }) => !own.has(messageId)).map(waitingMessage), ...pending]
    const { state } = this.#chat
    if (messages.length !== this.#chat.messages.length || messages.some((message, index) => message !== this.#chat.messages[index])) this.#chat.messages = messages
    const error = this.#error ?? this.#failure()
    const status = error !== undefined ? 'error' : this.#activity(waiting.length)
    if (state.error !== error) state.error = error
    if (state.status !== status) state.status = status
  }

  #shownRun (run: TranscriptRun): UiMessage[] {
    const known = this.#messagesOf.get(run)
    if (known !== undefined) return known
    const messages = messagesOfRun(run, this.#options.approvals ?? 'parts')
    this.#messagesOf.set(run, messages)
    return messages
  }

  /** What the newest run failed with, unless something follows it. */
  #failure (): Error | undefined {
    const last = this.#log.runs.at(-1)
    if (last?.complete?.error === undefined || last.runId === this.#cleared || this.#outbox.sending() !== undefined) return undefined
    return this.#errorOf(last.complete.error)
  }

  /** One object for one error: React compares. */
  readonly #errors = new WeakMap<object, Error>()
  #errorOf (told: { code: string, message: string }): Error {
    const known = this.#errors.get(told) ?? Object.assign(new Error(told.message), { code: told.code })
    this.#errors.set(told, known)
    return known
  }

  #activity (waiting: number): 'submitted' | 'streaming' | 'ready' {
    const running = this.#running()
    if (running !== undefined && this.#shownRun(running).some(({ role }) => role === 'assistant')) return 'streaming'
    return running !== undefined || waiting > 0 || this.#outbox.sending() !== undefined ? 'submitted' : 'ready'
  }
}
