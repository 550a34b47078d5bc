/*
 * What services stream → events as the SDK takes them: each the JSON of one chunk, then `[DONE]`. Services keep a stream alive
 * in many ways, leave it open when it is over, forget the empty line between events, or do not stream at all.
 */
import { ProviderError } from '../../lib/provider/provider.ts'

/** Of one event, or of an answer that is not streamed, in characters. */
const MAX_EVENT = 16 * 1024 * 1024

/** `fetch` whose answers are such streams; those of failures and pages are as they came. */
export async function fetchEvents (...request: Parameters<typeof fetch>): Promise<Response> {
  const response = await fetch(...request)
  if (!response.ok || response.body === null || response.headers.get('content-type')?.includes('html') === true) return response
  return new Response(response.body.pipeThrough(new TextDecoderStream()).pipeThrough(eventsOfJson()).pipeThrough(new TextEncoderStream()), response)
}

function eventsOfJson (): TransformStream<string, string> {
  /** The beginning of a line. */
  let rest = ''
  let isError = false
  let data = ''
  /** Answers whether the stream goes on. */
  const dispatch = (controller: TransformStreamDefaultController<string>): boolean => {
    const said = data.trim()
    data = ''
    if (said.startsWith('[DONE]')) {
      controller.enqueue('data: [DONE]\n\n')
      controller.terminate()
      return false
    }
    // What is no object keeps the stream alive: nothing, `null`, or words such as `ping`.
    if (said.startsWith('{')) controller.enqueue(`data: ${isError && !/"error"\s*:/.test(said) ? `{"error":${said}}` : said}\n\n`)
    isError = false
    return true
  }
  const take = (line: string, controller: TransformStreamDefaultController<string>): boolean => {
    if (line === '') return dispatch(controller)
    const [, field, value] = /^(?:(data|event|error):) ?(.*)$/.exec(line) ?? [null, 'other', line]
    if (field === 'event') isError = value === 'error'
    else if (field === 'error') {
      isError = true
      data = value!
      return dispatch(controller)
    // An answer that is not streamed has no fields, only its JSON.
    } else if (field === 'data' || data !== '' || line.trimStart().startsWith('{')) {
      if (field === 'data' && isWhole(data) && !dispatch(controller)) return false
      data += value
    }
    if (data.length > MAX_EVENT) throw new ProviderError('The model service sends an event without an end.', { code: 'MODEL_FAILED' })
    // It may be the last thing that comes.
    return !data.trimStart().startsWith('[DONE]') || dispatch(controller)
  }
  return new TransformStream({
    transform (text, controller) {
      const lines = (rest + text).split(/\r\n|\n|\r(?!$)/)
      rest = lines.pop()!
      if (rest.length > MAX_EVENT) throw new ProviderError('The model service sends a line without an end.', { code: 'MODEL_FAILED' })
      for (const line of lines) if (!take(line, controller)) return
    },
    flush (controller) {
      if (take(rest.replace(/\r$/, ''), controller)) dispatch(controller)
    }
  })
}

/** Whether it is all of a chunk: the next line begins another, though no empty line has parted them. */
function isWhole (data: string): boolean {
  if (!data.endsWith('}')) return false
  try {
    JSON.parse(data)
    return true
  } catch {
    return false
  }
}
