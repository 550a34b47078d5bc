/* Services keep a stream alive in many ways; the SDK takes an event without JSON for a broken one. */

/** A line of data that holds no JSON: nothing, `null`, or words such as `ping`. */
const NO_JSON = /^data:[\w :.-]*\r?$/

/** `fetch` whose event streams have no such lines. */
export async function fetchWithoutKeepAlives (...request: Parameters<typeof fetch>): Promise<Response> {
  const response = await fetch(...request)
  if (response.body === null || response.headers.get('content-type')?.startsWith('text/event-stream') !== true) return response
  return new Response(response.body.pipeThrough(new TextDecoderStream()).pipeThrough(linesOfJson()).pipeThrough(new TextEncoderStream()), response)
}

function linesOfJson (): TransformStream<string, string> {
  /** The beginning of a line. */
  let rest = ''
  return new TransformStream({
    transform (text, controller) {
      const lines = (rest + text).split('\n')
      rest = lines.pop()!
      const kept = lines.filter((line) => !NO_JSON.test(line)).map((line) => `${line}\n`).join('')
      if (kept !== '') controller.enqueue(kept)
    },
    flush (controller) {
      if (rest !== '') controller.enqueue(rest)
    }
  })
}
