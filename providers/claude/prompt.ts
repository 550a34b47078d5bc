/* A message → what the agent is prompted with. */
import type { MessageContent, MessagePart } from '../../lib/protocol/words.ts'
import { ProviderError } from '../../lib/provider/provider.ts'
import { type AllowUrl, clientUrl } from '../common/client-url.ts'
import type { Block } from './sdk.ts'

/** What models can look at. */
const IMAGES = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp'])

/** The content of a user's message. Throws a ProviderError UNSUPPORTED_CONTENT for what models do not take. */
export function promptOf (content: MessageContent, allowUrl?: AllowUrl): string | Block[] {
  return typeof content === 'string' ? content : content.map((part) => blockOf(part, allowUrl))
}

function blockOf (part: MessagePart, allowUrl: AllowUrl | undefined): Block {
  if (part.type === 'text') return { type: 'text', text: part.text }
  // Callers in JavaScript and clients ahead of us send parts that nobody knows.
  const { type, mimeType, name } = part
  if (type === 'image' && IMAGES.has(mimeType)) return { type: 'image', source: sourceOf(part, mimeType, allowUrl) }
  if (type === 'file' && mimeType === 'application/pdf') {
    return { type: 'document', source: sourceOf(part, mimeType, allowUrl), ...(name !== undefined && { title: name }) }
  }
  throw new ProviderError(`The agent takes no ${String(type)} of the type ${String(mimeType)}.`, { code: 'UNSUPPORTED_CONTENT' })
}

function sourceOf (part: Exclude<MessagePart, { type: 'text' }>, mimeType: string, allowUrl: AllowUrl | undefined): Record<string, string> {
  return 'url' in part ? { type: 'url', url: clientUrl(part.url, allowUrl) } : { type: 'base64', media_type: mimeType, data: part.data }
}
