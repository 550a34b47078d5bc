/* Services keep a stream alive in many ways, and open when it is over; the SDK takes an event without JSON for a broken one. */

/** A line of data that holds no JSON: nothing, `null`, or words such as `ping`. */
const NO_JSON = /^data:[\w :.-]*\r?$/

/** What OpenAI's API ends a stream with. */
const DONE = /^data:\s*\[DONE\]/

/** `fetch` whose event streams have no such lines, and end with what says so. */
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
      // The event is whole with the line behind it, which may never come.
      if (lines.some((line) => DONE.test(line))) {
        controller.enqueue('\n')
        controller.terminate()
      }
    },
    flush (controller) {
      if (rest !== '') controller.enqueue(rest)
    }
  })
}
