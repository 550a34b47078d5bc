/* The headers of one request. */
import type { ConnectionOptions } from './options.ts'

/** The caller's, asked for anew, and `own`, which win. */
export async function requestHeaders ({ headers }: ConnectionOptions, own: Record<string, string>): Promise<Headers> {
  const all = new Headers(typeof headers === 'function' ? await headers() : headers)
  for (const [name, value] of Object.entries(own)) all.set(name, value)
  return all
}
