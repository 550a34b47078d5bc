/* Ids for tool calls whose services give none that could be used. */
import { randomInt } from 'node:crypto'

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** Nine letters and digits: what the pickiest of services (Mistral's) takes. */
export function newCallId (): string {
  return Array.from({ length: 9 }, () => LETTERS[randomInt(LETTERS.length)]).join('')
}
