/* Codex by its command line: `codex exec --json`, one process for each message. */
import '../../lib/common/node-version.ts'
import { randomUUID } from 'node:crypto'
import type { Provider, ProviderEvent } from '../../lib/provider/provider.ts'
import { command, type CommandOptions } from './command.ts'
import type { ReadLine } from './output.ts'

export interface CodexCliOptions extends Pick<CommandOptions, 'cwd' | 'env' | 'inheritEnv' | 'killGraceMs' | 'killOrphans'> {
  /** The program. Default 'codex'. */
  command?: string
  /** More arguments of `codex exec`, such as `['--sandbox', 'workspace-write']`. Default none: it may only read. */
  args?: readonly string[]
}

/**
 * A provider that runs `codex exec --json` for each message, and goes on with the session's thread. It says its messages
 * whole, not in deltas, and asks for nothing: what it may do is in `args`. For deltas and approvals run it by `acp`.
 */
export function codexCli ({ command: program = 'codex', args = [], ...options }: CodexCliOptions = {}): Provider {
  return command({
    ...options,
    command: program,
    // `resume` takes few options of its own: those of `exec` stand before it.
    args: ({ providerSessionId }) => ['exec', '--json', '--skip-git-repo-check', ...args, ...providerSessionId === null ? [] : ['resume', providerSessionId], '-'],
    reader: codexLines,
    isProtocol: true,
    forgets: /no rollout found/i
  })
}

/** What an item of its log is about, by its type. */
interface Item {
  id: string
  type: string
  [field: string]: unknown
}

/** Reads the lines of one turn. */
export function codexLines (): ReadLine {
  // Items are numbered anew in each turn.
  const turn = randomUUID()
  const started = new Set<string>()
  return (line) => {
    const item = line['item'] as Item | undefined
    switch (line['type']) {
      case 'thread.started':
        return typeof line['thread_id'] === 'string' ? [{ kind: 'session_created', newSessionId: line['thread_id'] }] : []
      case 'item.started':
      case 'item.updated':
      case 'item.completed':
        return item === undefined ? null : eventsOf({ ...item, id: `${turn}-${item.id}` }, line['type'], started)
      case 'turn.completed':
        return [{ kind: 'complete', usage: usageOf(line['usage'] as Record<string, number> | undefined) }]
      case 'turn.failed':
        return [{ kind: 'complete', exitCode: 1, error: { code: 'AGENT_FAILED', message: messageOf(line['error']) } }]
      // It tries again, or the turn fails with the same words.
      case 'error':
        return [{ kind: 'status', text: String(line['message']) }]
      case 'turn.started':
        return []
      default:
        return null
    }
  }
}

function eventsOf (item: Item, happened: string, started: Set<string>): ProviderEvent[] {
  const { id, type } = item
  const isOver = happened === 'item.completed'
  if (type === 'agent_message') return isOver ? [{ kind: 'text', messageId: id, content: String(item['text']) }] : []
  if (type === 'reasoning') return isOver ? [{ kind: 'thinking', messageId: id, content: String(item['text']) }] : []
  if (type === 'todo_list') return [{ kind: 'plan', entries: item['items'] as unknown[] }]
  if (type === 'error') return [{ kind: 'error', code: 'AGENT_WARNING', message: String(item['message']) }]
  const events: ProviderEvent[] = []
  const { tool, input, output, isError } = toolOf(item)
  if (!started.has(id)) events.push({ kind: 'tool_use', toolId: id, toolName: tool, toolInput: input })
  started.add(id)
  if (isOver) events.push({ kind: 'tool_result', toolId: id, toolResult: { content: output, isError } })
  else if (happened === 'item.updated') events.push({ kind: 'tool_update', toolId: id, status: textOr(item['status'], 'in_progress'), content: output })
  return events
}

function toolOf ({ id, type, status, ...item }: Item): { tool: string, input: unknown, output: unknown, isError: boolean } {
  const isError = status === 'failed'
  switch (type) {
    case 'command_execution':
      return { tool: type, input: { command: item['command'] }, output: item['aggregated_output'], isError }
    case 'mcp_tool_call':
      return { tool: `${String(item['server'])}.${String(item['tool'])}`, input: item['arguments'] ?? null, output: item['error'] ?? item['result'] ?? null, isError }
    default:
      return { tool: type, input: item, output: item, isError }
  }
}

function usageOf ({ input_tokens: inputTokens, output_tokens: outputTokens, cached_input_tokens: cachedInputTokens, reasoning_output_tokens: reasoningTokens }: Record<string, number | undefined> = {}): Record<string, unknown> {
  return JSON.parse(JSON.stringify({ inputTokens, outputTokens, cachedInputTokens, reasoningTokens })) as Record<string, unknown>
}

/** It hands on what the model's service said, which may be JSON. */
function messageOf (error: unknown): string {
  const { message } = error as { message?: unknown }
  try {
    return (JSON.parse(String(message)) as { error: { message: string } }).error.message
  } catch {
    return textOr(message, 'The agent failed.')
  }
}

function textOr (value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise
}
