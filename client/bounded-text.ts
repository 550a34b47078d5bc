/* The body of an HTTP answer, up to a bound. */

const FIRST_BYTES = 16 * 1024

/** The text of `response`; null if it has more than `maxBytes`: then reading stops, and the connection is given up. */
export async function boundedText (response: Response, maxBytes: number): Promise<string | null> {
  // Some runtimes, such as React Native, have no body streams.
  const reader = (response.body as Response['body'] | undefined)?.getReader()
  if (reader === undefined) return boundedAtOnce(await response.text(), maxBytes)
  // One buffer: as strings, a body of a million tiny chunks would take many times its size.
  let bytes = new Uint8Array(FIRST_BYTES)
  let length = 0
  for (;;) {
    const { done, value } = await reader.read() as { done: boolean, value: Uint8Array }
    if (done) return new TextDecoder().decode(bytes.subarray(0, length))
    const needed = length + value.byteLength
    if (needed > maxBytes) {
      reader.cancel().catch(() => {})
      return null
    }
    if (needed > bytes.length) {
      const larger = new Uint8Array(Math.min(maxBytes, Math.max(needed, 2 * bytes.length)))
      larger.set(bytes.subarray(0, length))
      bytes = larger
    }
    bytes.set(value, length)
    length = needed
  }
}

function boundedAtOnce (text: string, maxBytes: number): string | null {
  return text.length > maxBytes ? null : text
}
