/* What the agent reports → events. Pure but for what it remembers of the turn. */
import { randomUUID } from 'node:crypto'
import type { ProviderEvent } from '../../lib/provider/provider.ts'
import type { AssistantMessage, Block, SdkMessage, StreamEvent, SystemMessage } from './sdk.ts'

type Said = 'text' | 'thinking'

const DELTA = { text: 'stream_delta', thinking: 'thinking_delta' } as const

/** Maps the messages of one turn; results are `ending.ts`'s. */
export class MessageMapper {
  /** The blocks of the message that is being streamed, by index; a mute one repeats what clients have seen the start of. */
  readonly #streaming = new Map<number, { said: Said, messageId: string, mute: boolean }>()
  /** Streamed messages whose whole is still to come, oldest first. */
  readonly #unfinished: Record<Said, string[]> = { text: [], thinking: [] }
  /** Those that never got it: the stream broke, and the agent asks the model again. */
  #broken: Record<Said, string[]> = { text: [], thinking: [] }
  readonly #tools = new Set<string>()
  /** Why the model service failed, as the agent names it; null while it did not. */
  modelError: string | null = null
  /** Whether the turn has begun: from there on the native session is kept. */
  begun = false

  /** Whether the log has that tool call. */
  knows (toolId: string): boolean {
    return this.#tools.has(toolId)
  }

  map (message: SdkMessage): ProviderEvent[] {
    switch (message.type) {
      case 'system':
        return this.#system(message)
      case 'stream_event':
        // What agents of its own stream comes whole as well, if it comes at all.
        return message.parent_tool_use_id ? [] : this.#stream(message.event)
      case 'assistant':
        return this.#assistant(message)
      case 'user': {
        // The rest of what is in a user's name is the agent talking to itself.
        const { content } = message.message
        return typeof content === 'string' ? [] : content.flatMap(resultOf)
      }
      case 'tool_progress':
        return [{ kind: 'tool_update', toolId: message.tool_use_id, status: 'in_progress', ...(message.elapsed_time_seconds !== undefined && { content: { elapsedSeconds: message.elapsed_time_seconds } }) }]
      default:
        return []
    }
  }

  /** A tool call; with what it really gets, if that was changed. */
  tool (toolId: string, toolName: string, toolInput: unknown, more: object = {}): ProviderEvent {
    this.#tools.add(toolId)
    return { kind: 'tool_use', toolId, toolName, toolInput, ...more }
  }

  #system (message: SystemMessage): ProviderEvent[] {
    const { subtype, session_id: nativeId } = message
    if (subtype === 'init' && nativeId !== undefined) {
      this.begun = true
      return [{ kind: 'session_created', newSessionId: nativeId }]
    }
    if (subtype === 'status' && typeof message['status'] === 'string') return [{ kind: 'status', text: message['status'] }]
    if (subtype === 'api_retry') return [{ kind: 'status', text: `retrying (${String(message['attempt'])} of ${String(message['max_retries'])})` }]
    if (subtype === 'compact_boundary') return [{ kind: 'custom', name: 'compact_boundary', data: message['compact_metadata'] }]
    return []
  }

  #stream (event: StreamEvent): ProviderEvent[] {
    if (event.type === 'message_start') {
      this.#streaming.clear()
      this.#broken = { text: this.#unfinished.text.splice(0), thinking: this.#unfinished.thinking.splice(0) }
    } else if (event.type === 'content_block_start') {
      const said = event.content_block.type
      if (said !== 'text' && said !== 'thinking') return []
      const broken = this.#broken[said].shift()
      const messageId = broken ?? randomUUID()
      this.#unfinished[said].push(messageId)
      this.#streaming.set(event.index, { said, messageId, mute: broken !== undefined })
    } else if (event.type === 'content_block_delta') {
      const block = this.#streaming.get(event.index)
      const content = block && event.delta[block.said]
      // Deltas append: the second attempt would follow on the first. Its whole replaces both.
      if (block && content && !block.mute) return [{ kind: DELTA[block.said], messageId: block.messageId, content }]
    }
    return []
  }

  #assistant ({ message, error, parent_tool_use_id: parent }: AssistantMessage): ProviderEvent[] {
    if (error !== undefined) {
      this.modelError = error
      return []
    }
    return message.content.flatMap((block) => this.#block(block, parent ? { parentToolId: parent } : {}))
  }

  #block (block: Block, more: { parentToolId?: string }): ProviderEvent[] {
    const { type, id, name, input } = block
    if (type === 'text' || type === 'thinking') {
      const messageId = (more.parentToolId === undefined && this.#unfinished[type].shift()) || randomUUID()
      const content = block[type]
      return typeof content === 'string' && content !== '' ? [{ kind: type, messageId, content, ...more }] : []
    }
    // The model service runs some tools itself.
    if (type.endsWith('tool_use')) return this.#tools.has(String(id)) ? [] : [this.tool(String(id), String(name), input, more)]
    return resultOf(block)
  }
}

function resultOf ({ type, tool_use_id: toolId, content = null, is_error: isError }: Block): ProviderEvent[] {
  if (!type.endsWith('tool_result')) return []
  return [{ kind: 'tool_result', toolId: String(toolId), toolResult: { content, isError: isError === true } }]
}
