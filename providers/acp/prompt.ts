/* A message → what an agent is prompted with. */
import type { ContentBlock, PromptCapabilities } from '@agentclientprotocol/sdk'
import type { MessageContent, MessagePart } from '../../lib/message-content.ts'
import { ProviderError } from '../../lib/provider.ts'

/** The blocks of a message. Throws a ProviderError UNSUPPORTED_CONTENT for what the agent does not take. */
export function promptOf (content: MessageContent, capabilities: PromptCapabilities): ContentBlock[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  return content.map((part) => blockOf(part, capabilities))
}

function blockOf (part: MessagePart, { image = false, embeddedContext = false }: PromptCapabilities): ContentBlock {
  if (part.type === 'text') return { type: 'text', text: part.text }
  const { mimeType, name } = part as Exclude<MessagePart, { type: 'text' }>
  // Every agent has to take links.
  if ('url' in part) return { type: 'resource_link', uri: part.url, mimeType, name: name ?? part.url }
  if (part.type === 'image' && image) return { type: 'image', data: part.data, mimeType }
  if (part.type === 'file' && embeddedContext) {
    return { type: 'resource', resource: { uri: `attachment:///${encodeURIComponent(name ?? 'file')}`, mimeType, blob: part.data } }
  }
  throw new ProviderError(`The agent takes no ${String(part.type)} in a message.`, { code: 'UNSUPPORTED_CONTENT' })
}
