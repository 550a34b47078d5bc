/* Addresses that clients put into their messages, before somebody fetches what is there. */
import { ProviderError } from '../../lib/provider/provider.ts'

export interface UrlOptions {
  /**
   * Decides which addresses of clients are handed on, in place of the default: http and https, without user and password.
   * What is no URL is refused in any case: the run fails with UNSUPPORTED_CONTENT.
   */
  allowUrl?: AllowUrl
}

export type AllowUrl = (url: URL) => boolean

/**
 * The address that a client's `url` stands for, normalised, so that it means the same to everyone who reads it. Throws a
 * ProviderError UNSUPPORTED_CONTENT for what is no URL and for what is not allowed. `data` allows `data:` as well.
 */
export function clientUrl (text: string, allowUrl: AllowUrl | undefined, { data = false } = {}): string {
  if (!URL.canParse(text)) throw refused('The url in the message is no URL.')
  const url = new URL(text)
  // Taken before the host gets the object, which it could change.
  const { href } = url
  if (allowUrl === undefined) {
    if (!isPublic(url, data)) throw refused('The url in the message is not allowed: only http and https are, without user and password.')
  // A promise is truthy, but no answer.
  } else if (allowUrl(url) !== true) throw refused('The url in the message is not allowed.')
  return href
}

function isPublic ({ protocol, username, password }: URL, data: boolean): boolean {
  if (protocol === 'data:') return data
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === ''
}

function refused (message: string): ProviderError {
  return new ProviderError(message, { code: 'UNSUPPORTED_CONTENT' })
}
