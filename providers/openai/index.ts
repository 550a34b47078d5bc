/* Models behind any endpoint that speaks OpenAI's Chat Completions API, with the session's log as their memory. */
import '../../lib/common/node-version.ts'
import type OpenAI from 'openai'
import Type, { type TSchema } from 'typebox'
import { type Provider, ProviderError, type ProviderEvent, type RunContext } from '../../lib/provider/provider.ts'
import type { UrlOptions } from '../common/client-url.ts'
import { conversationOf } from '../common/conversation.ts'
import { loadPeer } from '../common/load-peer.ts'
import { stopError } from '../common/model-error.ts'
import { sum, type Usage } from '../common/usage.ts'
import type { Answer } from './answer.ts'
import { ask } from './ask.ts'
import { type Accepted, type ChatMessage, messagesOf } from './messages.ts'
import { fetchEvents } from './event-stream.ts'
import { stateOf } from './model-state.ts'
import { callTools, type Tool } from './tools.ts'

export type { Accepted, ChatMessage, ChatPart, ChatToolCall } from './messages.ts'
export type { Tool, ToolContext } from './tools.ts'

export interface OpenAiOptions extends UrlOptions {
  /** The model that answers. */
  model: string
  /** Other models that clients may choose by `options.model`. Default none: clients can set nothing. */
  models?: readonly string[]
  /** The endpoint, as in `http://localhost:11434/v1`. Default: the variable `OPENAI_BASE_URL`, else OpenAI's. */
  baseUrl?: string
  /** Default: the variable `OPENAI_API_KEY`, else `none`, as local servers need no key. Is sent to `baseUrl`. */
  apiKey?: string
  /** Headers of every request. Default none. */
  headers?: Record<string, string>
  /** What the model is told before the conversation. Default nothing. */
  system?: string
  /** What the model may call, by name. Default nothing. */
  tools?: Record<string, Tool>
  /**
   * Further fields of each request, such as `{ temperature: 0, max_tokens: 4096 }`; `undefined` takes one out that is sent otherwise,
   * such as `stream_options`. Default none.
   */
  body?: Record<string, unknown>
  /** Which of these fields clients may set by `options.body` of a message: the JSON schema of each, by its name. Default none. */
  clientBody?: Record<string, TSchema | Record<string, unknown>>
  /** How often the model may be asked in one run: once, and again after each round of calls. Default 8. */
  maxSteps?: number
  /** What the endpoint takes besides text. Default: images. */
  accepts?: readonly Accepted[]
  /** Trims what is sent, before each request. A call and its results must stay together. Default: everything is sent. */
  messages?: (messages: ChatMessage[]) => ChatMessage[] | Promise<ChatMessage[]>
  /** How long the model may be silent, in ms: before it begins to answer, and in the middle. Default 600,000. */
  timeoutMs?: number
}

/** Fields of a request that are never a client's. */
const OURS = ['model', 'messages', 'tools', 'stream', 'stream_options']

/**
 * A provider that asks a model over Chat Completions, streaming, and calls tools of the app's own for it. The model is sent
 * the session's whole conversation each time. Clients can choose one of `models` and set what `clientBody` names, nothing else. Needs the package `openai`.
 * Fails with MODEL_UNAUTHORIZED, MODEL_RATE_LIMITED, MODEL_QUOTA_EXCEEDED, MODEL_NOT_FOUND, MODEL_UNREACHABLE, MODEL_CONTEXT_TOO_LONG, MODEL_FAILED,
 * MODEL_CUT, MODEL_LENGTH, MODEL_CONTENT_FILTER, MODEL_TOO_MANY_STEPS, and UNSUPPORTED_CONTENT.
 */
export function openai (options: OpenAiOptions): Provider {
  const { model, models = [], system, tools = {}, body, clientBody = {}, maxSteps = 8, accepts = ['image'], messages: trim = (messages) => messages, timeoutMs = 600_000, allowUrl } = options
  for (const field of OURS) if (Object.hasOwn(clientBody, field)) throw new TypeError(`clients cannot set "${field}" of a request to a model`)
  const accepted = new Set(accepts)
  const described = Object.entries(tools).map(([name, { description, parameters }]) => ({ type: 'function' as const, function: { name, description, parameters } }))
  let loading: Promise<Connection> | undefined

  /** The client, made by the first run; who has installed the package meanwhile need not start again. */
  function connect (): Promise<Connection> {
    loading ??= load(options).catch((error: unknown) => {
      loading = undefined
      throw error
    })
    return loading
  }

  async function * run (context: RunContext): AsyncGenerator<ProviderEvent> {
    const chosen = context.options['model'] as string | undefined ?? model
    const ended = new AbortController()
    const signal = AbortSignal.any([context.signal, ended.signal])
    let usage: Usage | null = null
    try {
      signal.throwIfAborted()
      const { sdk, client } = await connect()
      const messages = messagesOf(await conversationOf(context), { accepts: accepted, model: chosen, allowUrl })
      if (system !== undefined) messages.unshift({ role: 'system', content: system })
      for (let step = 1; ; step++) {
        const request = { model: chosen, messages: await trim([...messages]), ...(described.length > 0 && { tools: described }) }
        const more = { ...body, ...context.options['body'] as Record<string, unknown> | undefined }
        const answer: Answer = yield * ask(sdk, client, request, { signal, timeoutMs, more, log: context.log })
        usage = sum(usage, answer.usage)
        const problem = stopError(answer.finishReason ?? '')
        if (problem !== null) throw new ProviderError(problem.message, { code: problem.code })
        if (answer.calls.length === 0) break
        // Nobody would read what comes of them.
        if (step >= maxSteps) throw new ProviderError(`The model wants to use tools after ${maxSteps} steps still.`, { code: 'MODEL_TOO_MANY_STEPS' })
        const modelState = stateOf(chosen, answer.reasoning, answer.calls)
        messages.push(answer.message(), ...yield * callTools(answer.calls, tools, context, { signal, modelState }))
      }
      yield { kind: 'complete', exitCode: 0, ...(usage && { usage: { ...usage } }) }
    } catch (error) {
      // What was used before is paid for all the same.
      if (!(error instanceof ProviderError) || usage === null) throw error
      const { code, message, exitCode } = error
      yield { kind: 'complete', exitCode, error: { code, message }, usage: { ...usage } }
    } finally {
      ended.abort()
    }
  }

  const choice = [...new Set([model, ...models])].map((name) => Type.Literal(name))
  const fields = Object.entries(clientBody).map(([name, schema]) => [name, Type.Optional(schema as TSchema)] as const)
  return {
    run,
    optionsSchema: Type.Object({
      ...(models.length > 0 && { model: Type.Optional(Type.Union(choice)) }),
      ...(fields.length > 0 && { body: Type.Optional(Type.Object(Object.fromEntries(fields), { additionalProperties: false })) })
    }, { additionalProperties: false }),
    abilities: () => ({ images: accepted.has('image'), files: accepted.has('file'), resume: false, approvals: Object.values(tools).some(({ needsApproval }) => needsApproval !== undefined && needsApproval !== false) })
  }
}

interface Connection {
  sdk: typeof OpenAI
  client: OpenAI
}

async function load ({ baseUrl, apiKey = process.env['OPENAI_API_KEY'], headers }: OpenAiOptions): Promise<Connection> {
  const { default: Client } = await loadPeer(() => import('openai'), 'openai', 'openai')
  const client = new Client({
    apiKey: apiKey || 'none',
    ...(baseUrl !== undefined && { baseURL: baseUrl }),
    ...(headers !== undefined && { defaultHeaders: headers }),
    fetch: fetchEvents,
    // It would write what a model says to the console.
    logLevel: 'off'
  })
  return { sdk: Client, client }
}
