/* Messages of the user that follow each other are one, as a run that failed has no answer: strict templates and services refuse two in a row. */

/** The messages, with those of the user that follow each other as one. */
export function withMergedUsers<Message extends { role: string, content: unknown }> (messages: Message[]): Message[] {
  const merged: Message[] = []
  for (const message of messages) {
    const last = merged.at(-1)
    if (message.role === 'user' && last?.role === 'user') merged[merged.length - 1] = { ...message, content: joined(last.content, message.content) }
    else merged.push(message)
  }
  return merged
}

/** Two contents, each a text or parts, as one. */
function joined (one: unknown, other: unknown): unknown {
  if (typeof one === 'string' && typeof other === 'string') return `${one}\n\n${other}`
  return [one, other].flatMap((content) => typeof content === 'string' ? [{ type: 'text', text: content }] : content)
}
