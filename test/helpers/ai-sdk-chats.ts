/* The chats of AI SDK 5, 6 and 7 without React: their own code but for the state, which is plain here. */
import { AbstractChat as Chat5, DefaultChatTransport as Transport5 } from 'ai5'
import { AbstractChat as Chat6, DefaultChatTransport as Transport6, lastAssistantMessageIsCompleteWithApprovalResponses as isAnswered6 } from 'ai6'
import { AbstractChat as Chat7, DefaultChatTransport as Transport7, lastAssistantMessageIsCompleteWithApprovalResponses as isAnswered7 } from 'ai7'

import { agentRunsChat, type AgentRunsChat, type AgentRunsChatOptions } from '../../client/ai-sdk/index.ts'

/** What tests use of a message, whichever version it is of. */
export interface ChatMessage {
  id: string
  role: string
  parts: Array<{ type: string, text?: string, state?: string, toolCallId?: string, approval?: { id: string } }>
}

interface Options { api: string, id: string, body?: object, messages?: ChatMessage[], prepareReconnectToStreamRequest?: () => { api: string } }

class PlainState {
  #status = 'ready'
  #messages: ChatMessage[]
  error: Error | undefined
  readonly #watchers = new Set<() => void>()

  constructor (messages: ChatMessage[] = []) {
    this.#messages = messages
  }

  get status (): string { return this.#status }
  set status (status: string) {
    this.#status = status
    this.#changed()
  }

  get messages (): ChatMessage[] { return this.#messages }
  set messages (messages: ChatMessage[]) {
    this.#messages = messages
    this.#changed()
  }

  pushMessage (message: ChatMessage): void {
    this.messages = [...this.#messages, message]
  }

  popMessage (): void {
    this.messages = this.#messages.slice(0, -1)
  }

  replaceMessage (index: number, message: ChatMessage): void {
    this.messages = this.#messages.with(index, structuredClone(message))
  }

  snapshot<T> (thing: T): T {
    return structuredClone(thing)
  }

  /** Resolves once it holds. */
  until (holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!holds()) return
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
      look()
    })
  }

  #changed (): void {
    for (const look of this.#watchers) look()
  }
}

/** A chat, whichever version it is of. */
export interface PlainChat {
  status: string
  messages: ChatMessage[]
  error: Error | undefined
  sendMessage (message: { text: string, messageId?: string } | { id: string, parts: Array<{ type: 'text', text: string }> }): Promise<void>
  regenerate (options?: { messageId?: string }): Promise<void>
  resumeStream (): Promise<void>
  addToolApprovalResponse (answer: { id: string, approved: boolean, reason?: string }): Promise<void>
  until (holds: () => boolean): Promise<void>
}

export type Version = 5 | 6 | 7

const SDKS = {
  5: { Chat: Chat5, Transport: Transport5, isAnswered: undefined },
  6: { Chat: Chat6, Transport: Transport6, isAnswered: isAnswered6 },
  7: { Chat: Chat7, Transport: Transport7, isAnswered: isAnswered7 }
}

/** A chat as an app sets it up. */
export function plainChat (version: Version, { id, messages, ...transport }: Options): PlainChat {
  const { Chat, Transport, isAnswered } = SDKS[version]
  const state = new PlainState(messages)
  const Plain = class extends (Chat as unknown as new (init: object) => object) {}
  const chat = new Plain({ id, state, transport: new (Transport as new (options: object) => object)(transport), ...(isAnswered !== undefined && { sendAutomaticallyWhen: isAnswered }) })
  return Object.assign(chat as PlainChat, { until: (holds: () => boolean) => state.until(holds) })
}

/** A chat that follows a session's log, as an app sets it up with `useChat({ chat })`. */
export function loggedChat (version: Version, options: AgentRunsChatOptions): PlainChat & AgentRunsChat & { stop: () => Promise<void> } {
  const { Chat } = SDKS[version]
  const state = new PlainState()
  const Base = Chat as unknown as new (init: object) => PlainChat & { stop: () => Promise<void> }
  const Plain = class extends Base {
    constructor (init: object) {
      super({ ...init, state })
    }
  }
  return Object.assign(agentRunsChat(Plain, { approvals: version === 5 ? 'data' : 'parts', ...options }), { until: (holds: () => boolean) => state.until(holds) })
}

/** Roles and texts. */
export function conversation ({ messages }: PlainChat): string[] {
  return messages.map(({ role, parts }) => `${role}: ${parts.map(({ text = '' }) => text).join('')}`)
}
