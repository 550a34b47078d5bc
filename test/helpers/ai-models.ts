/* Language models for the AI SDK 5 and 6 that ask the fake model over Chat Completions, as `@ai-sdk/openai-compatible` does. */
import { MockLanguageModelV2 } from 'ai5/test'
import { MockLanguageModelV3 } from 'ai6/test'
import OpenAI from 'openai'

/** What both versions hand to a model, as far as it is looked at. */
interface Call {
  prompt: Array<{ role: string, content: string | Part[] }>
  tools?: Array<{ type: string, name?: string, inputSchema?: unknown }> | undefined
  abortSignal?: AbortSignal | undefined
}

interface Part {
  type: string
  text?: string
  data?: unknown
  mediaType?: string
  toolCallId?: string
  toolName?: string
  input?: unknown
  output?: { type: string, value?: unknown, reason?: string }
}

type StreamPart = { type: string } & Record<string, unknown>

/** A model of the specification that AI SDK 5 speaks. */
export function modelV2 (baseUrl: string): MockLanguageModelV2 {
  const doStream = async (call: unknown) => ({ stream: ReadableStream.from(parts(await ask(baseUrl, call as Call), (finishReason, usage) => ({ type: 'finish', finishReason, usage }))) })
  return new MockLanguageModelV2({ doStream: doStream as never })
}

/** A model of the specification that AI SDK 6 speaks. */
export function modelV3 (baseUrl: string): MockLanguageModelV3 {
  const finish = (reason: string, { inputTokens, outputTokens, reasoningTokens }: Record<string, number>): StreamPart => ({
    type: 'finish',
    finishReason: { unified: reason, raw: reason },
    usage: { inputTokens: { total: inputTokens }, outputTokens: { total: outputTokens, reasoning: reasoningTokens } }
  })
  const doStream = async (call: unknown) => ({ stream: ReadableStream.from(parts(await ask(baseUrl, call as Call), finish)) })
  return new MockLanguageModelV3({ doStream: doStream as never })
}

type Chunks = AsyncIterable<OpenAI.ChatCompletionChunk>

function ask (baseURL: string, { prompt, tools = [], abortSignal }: Call): Promise<Chunks> {
  const client = new OpenAI({ baseURL, apiKey: 'none', maxRetries: 0, logLevel: 'off' })
  const functions = tools.map(({ name, inputSchema }) => ({ type: 'function' as const, function: { name: name!, parameters: inputSchema as Record<string, unknown> } }))
  return client.chat.completions.create({
    model: 'fake', messages: prompt.flatMap(messagesOf) as never, stream: true, stream_options: { include_usage: true }, ...(functions.length > 0 && { tools: functions })
  }, { signal: abortSignal ?? null }).catch((error: unknown) => {
    // As the SDK's own models say it.
    if (error instanceof OpenAI.APIError && error.status !== undefined) throw Object.assign(new Error(error.message), { name: 'AI_APICallError', statusCode: error.status })
    throw error
  })
}

function messagesOf ({ role, content }: Call['prompt'][number]): unknown[] {
  if (typeof content === 'string') return [{ role, content }]
  if (role === 'tool') {
    return content.flatMap(({ type, toolCallId, output }) => {
      if (type !== 'tool-result') return []
      const said = output?.value ?? output?.reason
      return [{ role, tool_call_id: toolCallId, content: typeof said === 'string' ? said : JSON.stringify(said) }]
    })
  }
  const texts = content.flatMap(({ type, text }) => type === 'text' ? [{ type, text }] : [])
  if (role === 'user') return [{ role, content: [...texts, ...content.flatMap(({ type, data, mediaType }) => type === 'file' ? [{ type: 'image_url', image_url: { url: urlOf(data, mediaType) } }] : [])] }]
  const calls = content.flatMap(({ type, toolCallId, toolName, input }) => type === 'tool-call' ? [{ id: toolCallId, type: 'function', function: { name: toolName, arguments: JSON.stringify(input) } }] : [])
  return [{ role, content: texts.map(({ text }) => text).join('') || null, ...(calls.length > 0 && { tool_calls: calls }) }]
}

function urlOf (data: unknown, mediaType: string | undefined): string {
  if (data instanceof URL) return data.href
  return `data:${mediaType};base64,${data instanceof Uint8Array ? Buffer.from(data).toString('base64') : String(data)}`
}

const REASONS: Record<string, string> = { tool_calls: 'tool-calls', content_filter: 'content-filter' }

/** Chunks as the parts of both specifications, which differ in how they finish. */
async function * parts (chunks: Chunks, finish: (reason: string, usage: Record<string, number>) => StreamPart): AsyncGenerator<StreamPart> {
  yield { type: 'stream-start', warnings: [] }
  let open: 'text' | 'reasoning' | null = null
  let reason = 'stop'
  let usage: Record<string, number> = {}
  const calls: Array<{ id: string, name: string, json: string }> = []
  for await (const { choices: [choice], usage: sum } of chunks) {
    if (sum) usage = { inputTokens: sum.prompt_tokens, outputTokens: sum.completion_tokens, totalTokens: sum.total_tokens, reasoningTokens: sum.completion_tokens_details?.reasoning_tokens ?? 0 }
    if (choice === undefined) continue
    if (choice.finish_reason !== null) reason = REASONS[choice.finish_reason] ?? choice.finish_reason
    const { content, tool_calls: grown = [], ...more } = choice.delta
    const reasoning = (more as { reasoning_content?: string }).reasoning_content
    for (const { index, id, function: of } of grown) {
      calls[index] ??= { id: id!, name: of!.name!, json: '' }
      calls[index].json += of?.arguments ?? ''
    }
    const type = reasoning ? 'reasoning' : 'text'
    const delta = reasoning || content
    if (!delta) continue
    // The ids come again with each step, as those of most models do.
    if (open !== type && open !== null) yield { type: `${open}-end`, id: '0' }
    if (open !== type) yield { type: `${type}-start`, id: '0' }
    open = type
    yield { type: `${type}-delta`, id: '0', delta }
  }
  if (open !== null) yield { type: `${open}-end`, id: '0' }
  for (const { id, name, json } of calls) yield { type: 'tool-call', toolCallId: id, toolName: name, input: json }
  yield finish(reason, usage)
}
