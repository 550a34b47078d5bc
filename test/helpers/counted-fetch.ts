/* `fetch`, and how much of its answers was read. */

export interface CountedFetch {
  fetch: typeof globalThis.fetch
  /** The bytes of all bodies that the client has taken. */
  readonly bytes: number
  /** How many bodies it has cancelled, or given up with their request. */
  readonly cancelled: number
}

/** Nothing is read ahead: what is counted is what was asked for. */
export function countedFetch (): CountedFetch {
  let bytes = 0
  let cancelled = 0
  return {
    fetch: async (input, init) => {
      const response = await fetch(input, init)
      if (response.body === null) return response
      const reader = response.body.getReader()
      init?.signal?.addEventListener('abort', () => { cancelled++ }, { once: true })
      const body = new ReadableStream<Uint8Array>({
        async pull (controller) {
          const { done, value } = await reader.read()
          if (done) return controller.close()
          bytes += value.byteLength
          controller.enqueue(value)
        },
        async cancel (reason) { await reader.cancel(reason) }
      }, { highWaterMark: 0 })
      return new Response(body, response)
    },
    get bytes () { return bytes },
    get cancelled () { return cancelled }
  }
}
