/* What an agent reports (`session/update`) → events. Pure but for what it remembers of the turn's tool calls. */
import type { ContentBlock, SessionUpdate, ToolCall, ToolCallUpdate } from '@agentclientprotocol/sdk'
import type { ProviderEvent } from '../../lib/provider/provider.ts'

/** Of what a command has written, the end, in characters. */
const MAX_OUTPUT = 256 * 1024

/** A tool call as far as the agent has described it. */
interface KnownTool {
  toolName: string
  title: string | null
  toolInput: unknown
}

/** Maps the updates of one turn. */
export class UpdateMapper {
  readonly #tools = new Map<string, KnownTool>()
  /** The message that the agent is in the middle of; undefined = none. */
  #speaking: { messageId?: string } | undefined
  /** Whether the agent, which may say nothing of it in its answer, has failed. */
  failed = false
  /** What commands have written, by their call, where the agent tells that apart. */
  readonly #output = new Map<string, string>()
  /** What the agent said last of tokens and cost. */
  usage: Record<string, unknown> | undefined
  readonly #messages = new Set<string>()
  readonly #past: ReadonlySet<string>

  /** `past` are ids of former turns: what still comes of them is dropped. */
  constructor (past: Iterable<string> = []) {
    this.#past = new Set(past)
  }

  /** Of the calls and messages so far. */
  get ids (): string[] {
    return [...this.#tools.keys(), ...this.#messages]
  }

  /** The name and input of a tool that asks for permission. */
  tool (toolId: string): KnownTool | undefined {
    return this.#tools.get(toolId)
  }

  map (update: SessionUpdate): ProviderEvent[] {
    switch (update.sessionUpdate) {
      case 'agent_message_chunk':
        return this.#said('stream_delta', update.content, update.messageId)
      case 'agent_thought_chunk':
        return this.#said('thinking_delta', update.content, update.messageId)
      case 'tool_call':
      case 'tool_call_update':
        return this.#tool(update)
      case 'plan':
        return [{ kind: 'plan', entries: update.entries }]
      case 'usage_update': {
        const { used, size, cost } = update
        this.usage = { contextTokens: used, contextSize: size, ...(cost && { cost }) }
        return [{ kind: 'status', text: 'working', tokens: used }]
      }
      // The client wrote that, and has it.
      case 'user_message_chunk':
        return []
      case 'session_info_update': {
        const { codex } = (update._meta ?? {}) as { codex?: { threadStatus?: { type?: string } } }
        if (codex?.threadStatus?.type !== undefined) this.failed = codex.threadStatus.type === 'systemError'
        return this.#custom(update)
      }
      // Kept for clients that come later: the provider tells it.
      case 'available_commands_update':
        return []
      default:
        return this.#custom(update)
    }
  }

  #custom ({ sessionUpdate, _meta, ...data }: SessionUpdate): ProviderEvent[] {
    return [{ kind: 'custom', name: sessionUpdate, data, transient: true }]
  }

  #said (kind: 'stream_delta' | 'thinking_delta', block: ContentBlock, named: string | null | undefined): ProviderEvent[] {
    if (named && this.#past.has(named)) return []
    if (named) this.#messages.add(named)
    if (block.type !== 'text') return [{ kind: 'custom', name: 'content', data: block }]
    const message = named ? { messageId: named } : {}
    this.#speaking = message
    return [{ kind, content: block.text, ...message }]
  }

  /** What was said before a tool is used comes before that in the history. */
  #pause (): ProviderEvent[] {
    const message = this.#speaking
    this.#speaking = undefined
    return message === undefined ? [] : [{ kind: 'stream_end', ...message }]
  }

  /** What the call's command has written, once it is over. */
  #written ({ toolCallId, status, _meta: meta }: ToolCall | ToolCallUpdate): string | undefined {
    const { terminal_output_delta: delta, terminal_output: output } = (meta ?? {}) as TerminalMeta
    const data = delta?.data ?? output?.data
    if (typeof data === 'string') this.#output.set(toolCallId, ((this.#output.get(toolCallId) ?? '') + data).slice(-MAX_OUTPUT))
    return status === 'completed' || status === 'failed' ? this.#output.get(toolCallId) : undefined
  }

  #tool (call: Extract<SessionUpdate, { sessionUpdate: 'tool_call' | 'tool_call_update' }>): ProviderEvent[] {
    const { toolCallId: toolId, status } = call
    const known = this.#tools.get(toolId)
    // Agents may number their calls anew in each turn: only a call that opens is surely of this one.
    if (known === undefined && call.sessionUpdate === 'tool_call_update' && this.#past.has(toolId)) return []
    const events = this.#pause()
    const tool = describe(call, known)
    // Agents open a call before they know what with; the fuller description replaces the first.
    if (known === undefined || JSON.stringify(tool) !== JSON.stringify(known)) {
      this.#tools.set(toolId, tool)
      events.push({ kind: 'tool_use', toolId, ...tool, ...(call.kind && { toolKind: call.kind }) })
    }
    const content = call.content ?? call.rawOutput ?? this.#written(call)
    if (status === 'completed' || status === 'failed') {
      events.push({ kind: 'tool_result', toolId, toolResult: { content: content ?? null, isError: status === 'failed' } })
    } else if (known !== undefined && (status || content !== undefined)) {
      events.push({ kind: 'tool_update', toolId, status: status ?? 'in_progress', ...(content !== undefined && { content }) })
    }
    return events
  }
}

/** The protocol has terminals of the client's for this; agents that have their own tell of them beside it. */
interface TerminalMeta { terminal_output_delta?: { data?: unknown }, terminal_output?: { data?: unknown } }

function describe ({ name, title, rawInput }: ToolCall | ToolCallUpdate, known: KnownTool | undefined): KnownTool {
  return {
    toolName: name ?? known?.toolName ?? title ?? 'tool',
    title: title ?? known?.title ?? null,
    toolInput: rawInput ?? known?.toolInput ?? null
  }
}
