/* A message → what an agent is prompted with. */
import type { ContentBlock, PromptCapabilities } from '@agentclientprotocol/sdk'
import type { MessageContent, MessagePart } from '../../lib/protocol/words.ts'
import { ProviderError } from '../../lib/provider/provider.ts'
import { type AllowUrl, clientUrl } from '../common/client-url.ts'

/** The blocks of a message. Throws a ProviderError UNSUPPORTED_CONTENT for what the agent does not take. */
export function promptOf (content: MessageContent, capabilities: PromptCapabilities, allowUrl?: AllowUrl): ContentBlock[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  return content.map((part) => blockOf(part, capabilities, allowUrl))
}

function blockOf (part: MessagePart, { image = false, embeddedContext = false }: PromptCapabilities, allowUrl: AllowUrl | undefined): ContentBlock {
  if (part.type === 'text') return { type: 'text', text: part.text }
  const { mimeType, name } = part
  // Every agent has to take links.
  if ('url' in part) {
    const uri = clientUrl(part.url, allowUrl)
    return { type: 'resource_link', uri, mimeType, name: name ?? uri }
  }
  if (part.type === 'image' && image) return { type: 'image', data: part.data, mimeType }
  if (part.type === 'file' && embeddedContext) {
    const uri = `attachment:///${encodeURIComponent((name ?? 'file').toWellFormed())}`
    // Some leave out what is not text, or show the model base64.
    return { type: 'resource', resource: isText(mimeType) ? { uri, mimeType, text: Buffer.from(part.data, 'base64').toString() } : { uri, mimeType, blob: part.data } }
  }
  throw new ProviderError(`The agent takes no ${String(part.type)} in a message.`, { code: 'UNSUPPORTED_CONTENT' })
}

function isText (mimeType: string): boolean {
  return /^text\/|[/+](json|xml|yaml|x-yaml|toml|javascript|typescript|x-sh|sql)\b/i.test(mimeType)
}
