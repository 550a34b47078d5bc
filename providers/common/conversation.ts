/* A session's log → what a model is sent: the turns of the conversation, in the words of no API. */
import type { Event } from '../../lib/protocol/event.ts'
import type { MessageContent } from '../../lib/protocol/words.ts'
import type { RunContext } from '../../lib/provider/provider.ts'

export interface UserTurn {
  role: 'user'
  content: MessageContent
}

/** A call that an assistant made, and what came of it. */
export interface ToolCall {
  id: string
  name: string
  input: unknown
  result: { content: unknown, isError: boolean }
  /** What the provider that made the call has kept with it. */
  modelState?: unknown
}

/** What an assistant said before its tools answered. It has text or calls, or both. */
export interface AssistantTurn {
  role: 'assistant'
  /** Empty if it only called tools. */
  text: string
  /** What it thought before. */
  reasoning?: string
  /** Calls that were made at once. */
  toolCalls: ToolCall[]
}

export type Turn = UserTurn | AssistantTurn

/** What a model reads of a call whose run ended before the tool did: APIs refuse calls without a result. */
export const INTERRUPTED = 'The tool was interrupted, and has no result.'

/** The session's conversation, with the run's own message at the end. */
export async function conversationOf ({ history, content }: Pick<RunContext, 'history' | 'content'>): Promise<Turn[]> {
  const conversation = new Conversation()
  for await (const event of history()) conversation.add(event)
  return [...conversation.turns(), { role: 'user', content }]
}

/** An assistant's turn while it is being put together. */
interface OpenTurn {
  role: 'assistant'
  texts: string[]
  thoughts: string[]
  calls: OpenCall[]
}

interface OpenCall extends Omit<ToolCall, 'result'> {
  result: ToolCall['result'] | null
}

/**
 * Folds durable events, oldest first. What runs said before they failed or were aborted stays. An id names one call in one
 * run: a later `tool_use` of it replaces what was called, a later `tool_result` what came of it. Results of calls that are
 * not there are left out.
 */
export class Conversation {
  readonly #turns: Array<UserTurn | OpenTurn> = []
  /** The calls of the newest run. */
  readonly #calls = new Map<string, OpenCall>()
  #runId: string | null = null

  add (event: Event): void {
    if (event.runId !== this.#runId) {
      this.#runId = event.runId
      this.#calls.clear()
    }
    switch (event.kind) {
      case 'text':
        if (event.role === 'user') this.#turns.push({ role: 'user', content: event.content })
        else this.#speaking().texts.push(plain(event.content))
        break
      case 'thinking':
        this.#speaking().thoughts.push(event.content)
        break
      case 'tool_use':
        this.#call(event.toolId, { name: event.toolName, input: event.toolInput, ...('modelState' in event && { modelState: event.modelState }) })
        break
      case 'tool_result': {
        const call = this.#calls.get(event.toolId)
        if (call !== undefined) call.result = { content: event.toolResult.content, isError: event.toolResult.isError === true }
        break
      }
      default:
    }
  }

  /** The turns so far; all calls have results. */
  turns (): Turn[] {
    return this.#turns.flatMap((turn) => turn.role === 'user' ? turn : closed(turn) ?? [])
  }

  #call (id: string, said: Pick<OpenCall, 'name' | 'input' | 'modelState'>): void {
    const known = this.#calls.get(id)
    if (known !== undefined) {
      Object.assign(known, said)
      return
    }
    const call: OpenCall = { id, ...said, result: null }
    this.#calls.set(id, call)
    // Who calls again has read the results.
    this.#assistant(({ calls }) => calls.every(({ result }) => result === null)).calls.push(call)
  }

  /** The turn that words belong to: those behind a call are the next one's. */
  #speaking (): OpenTurn {
    return this.#assistant(({ calls }) => calls.length === 0)
  }

  #assistant (goesOn: (turn: OpenTurn) => boolean): OpenTurn {
    const last = this.#turns.at(-1)
    if (last?.role === 'assistant' && goesOn(last)) return last
    const turn: OpenTurn = { role: 'assistant', texts: [], thoughts: [], calls: [] }
    this.#turns.push(turn)
    return turn
  }
}

/** What no API takes is no turn: thoughts alone, and nothing at all. */
function closed ({ role, texts, thoughts, calls }: OpenTurn): AssistantTurn | null {
  const text = joined(texts)
  if (text === '' && calls.length === 0) return null
  const reasoning = joined(thoughts)
  return {
    role,
    text,
    ...(reasoning !== '' && { reasoning }),
    toolCalls: calls.map((call) => ({ ...call, result: call.result ?? { content: INTERRUPTED, isError: true } }))
  }
}

function joined (texts: string[]): string {
  return texts.filter((text) => text !== '').join('\n\n')
}

function plain (content: MessageContent): string {
  if (typeof content === 'string') return content
  return joined(content.map((part) => part.type === 'text' ? part.text : ''))
}
