/* Turns of a conversation → messages of the Chat Completions API. */
import type { MessageContent, MessagePart } from '../../lib/protocol/words.ts'
import { ProviderError } from '../../lib/provider/provider.ts'
import { type AllowUrl, clientUrl } from '../common/client-url.ts'
import type { AssistantTurn, Turn } from '../common/conversation.ts'
import { withMergedUsers } from '../common/merged-users.ts'
import { stateFor } from './model-state.ts'
import type { ReasoningFields } from './reasoning.ts'

/** A part of what a user says, as the API has it. */
export type ChatPart =
  | { type: 'text', text: string }
  | { type: 'image_url', image_url: { url: string } }
  | { type: 'file', file: { file_data: string, filename: string } }
  | { type: 'input_audio', input_audio: { data: string, format: 'wav' | 'mp3' } }

/** A call of a tool, as the API has it. */
export interface ChatToolCall {
  id: string
  type: 'function'
  function: { name: string, arguments: string }
}

/** A message as the API has it. */
export type ChatMessage =
  | { role: 'system', content: string }
  | { role: 'user', content: string | ChatPart[] }
  | { role: 'assistant', content: string | null, tool_calls?: ChatToolCall[] } & ReasoningFields
  | { role: 'tool', tool_call_id: string, content: string }

/** What an endpoint takes besides text. `file` is PDF, `audio` is WAV and MP3; both only in the message itself. */
export type Accepted = 'image' | 'file' | 'audio'

const AUDIO: Record<string, 'wav' | 'mp3'> = { 'audio/wav': 'wav', 'audio/x-wav': 'wav', 'audio/mpeg': 'mp3', 'audio/mp3': 'mp3' }

interface MessagesOptions {
  accepts: ReadonlySet<Accepted>
  /** The model that is asked. */
  model: string
  allowUrl?: AllowUrl | undefined
}

/**
 * The messages of a conversation. Throws a ProviderError UNSUPPORTED_CONTENT if the newest turn holds what is not accepted;
 * in older ones a note takes its place, as the session would be stuck with it.
 */
export function messagesOf (turns: Turn[], { accepts, model, allowUrl }: MessagesOptions): ChatMessage[] {
  return withMergedUsers(turns.flatMap((turn, i): ChatMessage[] => {
    if (turn.role === 'assistant') return spoken(turn, model)
    return [{ role: 'user', content: contentOf(turn.content, i === turns.length - 1, (part) => partOf(part, accepts, allowUrl)) }]
  }))
}

/** What a tool came back with, as the model reads it. */
export function resultText (content: unknown): string {
  return typeof content === 'string' ? content : JSON.stringify(content) ?? ''
}

function spoken ({ text, toolCalls }: AssistantTurn, model: string): ChatMessage[] {
  const { reasoning, extra } = stateFor(model, toolCalls[0]?.modelState) ?? {}
  const calls = toolCalls.map(({ id, name, input }): ChatToolCall => {
    // What was no JSON when the model wrote it would be refused when it is read again.
    return { ...extra?.[id], id, type: 'function', function: { name, arguments: JSON.stringify(typeof input === 'object' && input !== null ? input : {}) } }
  })
  return [
    { role: 'assistant', content: text === '' ? null : text, ...reasoning, ...(calls.length > 0 && { tool_calls: calls }) },
    ...toolCalls.map(({ id, result }): ChatMessage => ({ role: 'tool', tool_call_id: id, content: resultText(result.content) }))
  ]
}

function contentOf (content: MessageContent, isNewest: boolean, take: (part: MessagePart) => ChatPart): string | ChatPart[] {
  if (typeof content === 'string') return content
  return content.map((part) => {
    try {
      return take(part)
    } catch (error) {
      if (isNewest || !(error instanceof ProviderError)) throw error
      return { type: 'text', text: `[${kindOf(part)}, not shown]` }
    }
  })
}

/** Throws a ProviderError UNSUPPORTED_CONTENT. */
function partOf (part: MessagePart, accepts: ReadonlySet<Accepted>, allowUrl: AllowUrl | undefined): ChatPart {
  if (part.type === 'text') return { type: 'text', text: part.text }
  if (part.type === 'image' && accepts.has('image')) return { type: 'image_url', image_url: { url: 'url' in part ? clientUrl(part.url, allowUrl, { data: true }) : dataUrl(part) } }
  if (part.type === 'file' && 'data' in part) {
    const format = AUDIO[part.mimeType]
    if (format !== undefined && accepts.has('audio')) return { type: 'input_audio', input_audio: { data: part.data, format } }
    if (part.mimeType === 'application/pdf' && accepts.has('file')) return { type: 'file', file: { file_data: dataUrl(part), filename: part.name ?? 'file.pdf' } }
  }
  throw new ProviderError(`The model takes no ${kindOf(part)} in a message.`, { code: 'UNSUPPORTED_CONTENT' })
}

function dataUrl ({ mimeType, data }: { mimeType: string, data: string }): string {
  return `data:${mimeType};base64,${data}`
}

function kindOf (part: MessagePart): string {
  return part.type === 'text' ? 'text' : `${part.type} (${part.mimeType})`
}
