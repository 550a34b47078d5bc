/* The history → messages of AG-UI, under the ids that the streams use. */
import type { Event } from '../../../lib/protocol/event.ts'
import type { MessageContent } from '../../../lib/protocol/words.ts'
import { plain } from '../common/growing-texts.ts'
import { asText, nameOf, NO_RESULT } from './names.ts'

interface AgUiMessage {
  id: string
  role: 'user' | 'assistant' | 'reasoning' | 'tool'
  content?: unknown
  [more: string]: unknown
}

/** The messages of whole runs. */
export function messagesOf (events: Event[]): AgUiMessage[] {
  const messages = new Map<string, AgUiMessage>()
  /** The calls of a run that have no result yet. */
  const open = new Map<string, { runId: string, toolId: string }>()
  const add = (message: AgUiMessage): void => { messages.set(message.id, message) }
  const result = (runId: string, toolId: string, content: unknown, isError: boolean): void => {
    if (!open.delete(nameOf('call', runId, toolId))) return
    add({ id: nameOf('result', runId, toolId), role: 'tool', toolCallId: nameOf('tool', runId, toolId), content: asText(content), ...(isError && { metadata: { isError } }) })
  }
  for (const event of events) {
    switch (event.kind) {
      case 'text':
        if (event.role === 'user') add({ id: event.messageId, role: 'user', content: contentOf(event.content) })
        else if (plain(event.content) !== '') add({ id: nameOf('text', event.runId, event.messageId), role: 'assistant', content: plain(event.content) })
        break
      case 'thinking':
        if (event.content !== '') add({ id: nameOf('reasoning', event.runId, event.messageId), role: 'reasoning', content: event.content })
        break
      case 'tool_use': {
        const { runId, toolId, toolName, toolInput } = event
        const id = nameOf('call', runId, toolId)
        if (messages.has(id)) break
        open.set(id, { runId, toolId })
        add({ id, role: 'assistant', toolCalls: [{ id: nameOf('tool', runId, toolId), type: 'function', function: { name: toolName, arguments: JSON.stringify(toolInput ?? {}) } }] })
        break
      }
      case 'tool_result':
        result(event.runId, event.toolId, event.toolResult.content, event.toolResult.isError)
        break
      case 'complete':
        for (const { runId, toolId } of open.values()) result(runId, toolId, NO_RESULT, true)
        break
      default:
    }
  }
  return [...messages.values()]
}

function contentOf (content: MessageContent): unknown {
  if (typeof content === 'string') return content
  return content.map((part) => {
    if (part.type === 'text') return part
    const { type, mimeType } = part
    return { type: type === 'image' ? 'image' : 'document', source: 'data' in part ? { type: 'data', value: part.data, mimeType } : { type: 'url', value: part.url, mimeType } }
  })
}
