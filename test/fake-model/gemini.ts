/* The API of Gemini, as Google's SDKs and Gemini CLI parse it. */
import { type Api, type Asked, newId, sse, type Step, type Stop, type Turn, type Usage, userTexts, type Writer } from './wire.ts'

interface Part {
  text?: string
  functionCall?: { id?: string, name: string }
  functionResponse?: { id?: string, name: string, response: Record<string, unknown> }
}

interface Body {
  contents: Array<{ role?: 'user' | 'model' | 'function', parts: Part[] }> | string
  tools?: Array<{ functionDeclarations?: Array<{ name: string }> }>
}

const STATUSES: Record<number, string> = {
  400: 'INVALID_ARGUMENT', 401: 'UNAUTHENTICATED', 403: 'PERMISSION_DENIED', 404: 'NOT_FOUND', 429: 'RESOURCE_EXHAUSTED', 500: 'INTERNAL', 503: 'UNAVAILABLE'
}

export const gemini: Api = {
  read (body, path) {
    const { contents, tools = [] } = body as unknown as Body
    const all = typeof contents === 'string' ? [{ parts: [{ text: contents }] }] : contents
    const model = /models\/([^:/?]+):/.exec(path)?.[1] ?? ''
    return {
      model: decodeURIComponent(model),
      stream: path.includes(':streamGenerateContent'),
      turns: all.flatMap(({ role = 'user', parts }: { role?: string, parts: Part[] }) => turnsOf(role, parts)),
      tools: tools.flatMap(({ functionDeclarations = [] }) => functionDeclarations.map(({ name }) => name))
    }
  },
  writer: (asked) => new GeminiWriter(asked),
  error: (status, message) => ({ error: { code: status, message, status: STATUSES[status] ?? 'UNKNOWN' } })
}

function turnsOf (role: string, parts: Part[]): Turn[] {
  if (role === 'model') return [{ role: 'assistant', calls: parts.flatMap(({ functionCall }) => functionCall === undefined ? [] : [functionCall.id ?? functionCall.name]) }]
  const results = parts.flatMap(({ functionResponse }) => {
    if (functionResponse === undefined) return []
    const { id, name, response } = functionResponse
    const { output, error } = response
    const said = error ?? output ?? response
    return [{ id: id ?? name, text: typeof said === 'string' ? said : JSON.stringify(said), isError: error !== undefined }]
  })
  return [...results.length > 0 ? [{ role: 'tool' as const, results }] : [], { role: 'user', texts: userTexts(parts.map(({ text }) => text)) }]
}

class GeminiWriter implements Writer {
  readonly #model: string
  readonly #responseId = newId('')

  constructor ({ model }: Asked) {
    this.#model = model
  }

  // There is nothing before the first part.
  start (): string {
    return ''
  }

  step (step: Step): string {
    return chunk(this.#response([partOf(step)]))
  }

  end (stop: Stop, usage: Usage): string {
    return chunk(this.#response([{ text: '' }], stop, usage))
  }

  failure (message: string): string {
    return chunk(gemini.error(503, message))
  }

  whole (steps: Step[], stop: Stop, usage: Usage): unknown {
    const parts: Array<Record<string, unknown>> = []
    for (const step of steps) {
      const part = partOf(step)
      const last = parts.at(-1)
      if (last !== undefined && 'text' in last && 'text' in part && last['thought'] === part['thought']) last['text'] = `${last['text'] as string}${part['text'] as string}`
      else parts.push(part)
    }
    return this.#response(parts, stop, usage)
  }

  #response (parts: unknown[], stop?: Stop, usage: Usage = { input: 1, output: 0, reasoning: 0 }) {
    return {
      candidates: [{ content: { parts, role: 'model' }, ...(stop && { finishReason: stop.why === 'as told' ? stop.reason : 'STOP' }), index: 0 }],
      usageMetadata: {
        promptTokenCount: usage.input, candidatesTokenCount: usage.output, thoughtsTokenCount: usage.reasoning, totalTokenCount: usage.input + usage.output + usage.reasoning
      },
      modelVersion: this.#model,
      responseId: this.#responseId
    }
  }
}

function partOf (step: Step): Record<string, unknown> {
  if (step.type === 'text') return { text: step.text }
  if (step.type === 'reasoning') return { text: step.text, thought: true }
  return { functionCall: { id: step.call.id, name: step.call.name, args: step.call.input }, thoughtSignature: 'c2lnbmVk' }
}

/** This service ends its lines as HTTP does. */
function chunk (data: unknown): string {
  return sse(data).replaceAll('\n', '\r\n')
}
