/* What `sendMessage` of the AI SDK is given → the content of a message. */
import type { MessageContent, MessagePart } from '../../lib/protocol/words.ts'
import { RunsClientError } from '../errors.ts'
import type { UiPart } from './ui-messages.ts'

/** What `sendMessage` takes. */
export interface OutgoingMessage {
  id?: string
  text?: string
  /** A browser's FileList, or parts. */
  files?: Iterable<Blob & { name?: string }> | UiPart[] | null
  parts?: UiPart[]
}

/** The parts of a message. Throws INVALID_REQUEST for none. */
export async function partsOf ({ text, files, parts }: OutgoingMessage): Promise<UiPart[]> {
  const all: UiPart[] = parts ?? [...await Promise.all(Array.from(files ?? [], filePart)), ...text === undefined || text === '' ? [] : [{ type: 'text', text }]]
  if (all.length === 0) throw new RunsClientError('INVALID_REQUEST', 'The message is empty.')
  return all
}

/** The parts as a message's content. Throws INVALID_REQUEST for one that a user cannot send. */
export function contentOf (parts: UiPart[]): MessageContent {
  const [only] = parts
  if (parts.length === 1 && only?.type === 'text') return String(only['text'])
  return parts.map((part): MessagePart => {
    if (part.type === 'text') return { type: 'text', text: String(part['text']) }
    if (part.type !== 'file') throw new RunsClientError('INVALID_REQUEST', `A message has no parts of the type "${part.type}".`)
    const { mediaType, url, filename } = part as unknown as { mediaType: string, url: string, filename?: string }
    const file = { type: mediaType.startsWith('image/') ? 'image' as const : 'file' as const, mimeType: mediaType, ...filename !== undefined && { name: filename } }
    const data = /^data:[^,]*;base64,(.*)$/s.exec(url)?.[1]
    return data === undefined ? { ...file, url } : { ...file, data }
  })
}

async function filePart (file: UiPart | (Blob & { name?: string })): Promise<UiPart> {
  if (!(file instanceof Blob)) return file
  const bytes = new Uint8Array(await file.arrayBuffer())
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  const { type, name } = file
  return { type: 'file', mediaType: type === '' ? 'application/octet-stream' : type, url: `data:${type};base64,${btoa(binary)}`, ...name !== undefined && { filename: name } }
}
