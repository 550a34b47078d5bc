/* Turns of a conversation → messages of the AI SDK. */
import type { MessageContent, MessagePart } from '../../lib/protocol/words.ts'
import { ProviderError } from '../../lib/provider/provider.ts'
import { type AllowUrl, clientUrl } from '../common/client-url.ts'
import type { AssistantTurn, ToolCall, Turn } from '../common/conversation.ts'
import { withMergedUsers } from '../common/merged-users.ts'

export type AiJson = null | string | number | boolean | AiJson[] | { [key: string]: AiJson }

export type AiUserPart =
  | { type: 'text', text: string }
  | { type: 'image', image: Uint8Array | URL, mediaType: string }
  | { type: 'file', data: Uint8Array | URL, mediaType: string, filename?: string }

export type AiAssistantPart =
  | { type: 'text', text: string }
  | { type: 'tool-call', toolCallId: string, toolName: string, input: unknown }

export interface AiToolResult {
  type: 'tool-result'
  toolCallId: string
  toolName: string
  output: { type: 'text' | 'error-text', value: string } | { type: 'json', value: AiJson }
}

/** A message as `streamText` takes it: a `ModelMessage` of AI SDK 5 and 6 alike. */
export type AiMessage =
  | { role: 'user', content: string | AiUserPart[] }
  | { role: 'assistant', content: string | AiAssistantPart[] }
  | { role: 'tool', content: AiToolResult[] }

/**
 * The messages of a conversation, without its reasoning: services that want to see that again want it signed. Throws a
 * ProviderError UNSUPPORTED_CONTENT if the newest turn holds what the SDK has no place for; in older ones a note takes its
 * place, as the session would be stuck with it.
 */
export function messagesOf (turns: Turn[], allowUrl?: AllowUrl): AiMessage[] {
  return withMergedUsers(turns.flatMap((turn, i): AiMessage[] => {
    if (turn.role === 'assistant') return spoken(turn)
    return [{ role: 'user', content: contentOf(turn.content, i === turns.length - 1, allowUrl) }]
  }))
}

function spoken ({ text, toolCalls }: AssistantTurn): AiMessage[] {
  if (toolCalls.length === 0) return [{ role: 'assistant', content: text }]
  const calls = toolCalls.map(({ id, name, input }) => ({ type: 'tool-call' as const, toolCallId: id, toolName: name, input: input ?? {} }))
  return [
    { role: 'assistant', content: [...text === '' ? [] : [{ type: 'text' as const, text }], ...calls] },
    { role: 'tool', content: toolCalls.map(resultOf) }
  ]
}

function resultOf ({ id, name, result: { content, isError } }: ToolCall): AiToolResult {
  return { type: 'tool-result', toolCallId: id, toolName: name, output: outputOf(content, isError) }
}

function outputOf (content: unknown, isError: boolean): AiToolResult['output'] {
  if (isError) return { type: 'error-text', value: typeof content === 'string' ? content : JSON.stringify(content) ?? '' }
  return typeof content === 'string' ? { type: 'text', value: content } : { type: 'json', value: (content ?? null) as AiJson }
}

function contentOf (content: MessageContent, isNewest: boolean, allowUrl: AllowUrl | undefined): string | AiUserPart[] {
  if (typeof content === 'string') return content
  return content.map((part) => {
    try {
      return partOf(part, allowUrl)
    } catch (error) {
      if (isNewest || !(error instanceof ProviderError)) throw error
      return { type: 'text', text: `[${String(part.type)}, not shown]` }
    }
  })
}

/** Throws a ProviderError UNSUPPORTED_CONTENT. */
function partOf (part: MessagePart, allowUrl: AllowUrl | undefined): AiUserPart {
  if (part.type === 'text') return { type: 'text', text: part.text }
  const { type, mimeType: mediaType, name } = part
  if (type !== 'image' && type !== 'file') throw new ProviderError(`The model takes no such ${String(type)} in a message.`, { code: 'UNSUPPORTED_CONTENT' })
  // As bytes: of a string the SDK would first try whether it is an address, and fetch it.
  const data = 'url' in part ? new URL(clientUrl(part.url, allowUrl)) : Buffer.from(part.data, 'base64')
  return type === 'image' ? { type, image: data, mediaType } : { type, data, mediaType, ...(name !== undefined && { filename: name }) }
}
