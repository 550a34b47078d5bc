/* What a message may hold. Types alone: browsers have them too. The schema is in message-content-schema.ts. */

/** Text, or an image or a file: in base64 as `data`, or left where it is, at `url`. */
export type MessagePart =
  | { type: 'text', text: string }
  | { type: 'image' | 'file', mimeType: string, name?: string, data: string }
  | { type: 'image' | 'file', mimeType: string, name?: string, url: string }

/** What a client posts: plain text, or parts; neither is empty. */
export type MessageContent = string | MessagePart[]
