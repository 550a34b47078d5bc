/* Agents made with the AI SDK (`ai`, 5 and 6), with the session's log as their memory. */
import '../../lib/common/node-version.ts'
import type { TSchema } from 'typebox'
import type { Provider, ProviderEvent, RunContext } from '../../lib/provider/provider.ts'
import { type AiMessage, messagesOf } from './messages.ts'
import { type ApprovalRequest, PartMapper } from './parts.ts'
import type { UrlOptions } from '../common/client-url.ts'
import { conversationOf } from '../common/conversation.ts'
import { cutError } from '../common/model-error.ts'

export type { AiAssistantPart, AiJson, AiMessage, AiToolResult, AiUserPart } from './messages.ts'

/** What an agent is asked. */
export interface AiSdkRequest extends Pick<RunContext, 'content' | 'options' | 'context' | 'session'> {
  /** The session's whole conversation, the new message last. After an approval: with what has been said since, and the decision. */
  messages: AiMessage[]
  /** Aborted when the run ends: pass it on as `abortSignal`. */
  signal: AbortSignal
}

/** What `streamText` returns, as far as it matters here. */
export interface AiSdkResult {
  fullStream: AsyncIterable<{ type: string }>
  /** Needed for approvals only. */
  response?: PromiseLike<{ messages: readonly unknown[] }>
}

export interface AiSdkOptions extends UrlOptions {
  /** Asks the model: `({ messages, signal }) => streamText({ model, messages, abortSignal: signal })`. */
  stream: (request: AiSdkRequest) => AiSdkResult | PromiseLike<AiSdkResult>
  /** What clients may put into a message's `options`. Default: nothing. */
  optionsSchema?: TSchema
}

/**
 * A provider that runs what `streamText` of the AI SDK 5 or 6 returns. Tools run in the SDK; those that need approval there
 * (AI SDK 6) ask for it here. Fails with the codes of the `openai` provider as far as the SDK tells what went wrong, with
 * MODEL_ABORTED if the SDK stopped by itself, and else with MODEL_FAILED; what was wrong is in the log.
 */
export function aiSdk ({ stream, optionsSchema, allowUrl }: AiSdkOptions): Provider {
  async function * run (context: RunContext): AsyncGenerator<ProviderEvent> {
    const { content, options, session, context: trusted, log, runId } = context
    const ended = new AbortController()
    const signal = AbortSignal.any([context.signal, ended.signal])
    const mapper = new PartMapper((error, what) => log.warn({ err: error, runId }, what))
    signal.throwIfAborted()
    let messages = messagesOf(await conversationOf(context), allowUrl)
    try {
      for (;;) {
        mapper.isFinished = false
        const result = await stream({ messages, content, options, context: trusted, session, signal })
        for await (const part of result.fullStream) {
          signal.throwIfAborted()
          yield * mapper.map(part)
        }
        signal.throwIfAborted()
        if (!mapper.isFinished) throw cutError()
        const requests = mapper.approvals.splice(0)
        if (requests.length === 0) break
        const said = [...(await result.response)?.messages ?? []] as ResponseMessage[]
        const decided = await Promise.all(requests.map((request) => decide(request, mapper, context, signal)))
        for (const { input } of decided) {
          if (input === undefined) continue
          yield { kind: 'tool_use', toolId: mapper.toolId(input), toolName: input.toolName, toolInput: input.updatedInput }
          changeInput(said, input)
        }
        // The SDK makes the calls that were allowed, and tells the model of those that were not.
        messages = [...messages, ...said, { role: 'tool', content: decided.map(({ response }) => response) }] as AiMessage[]
      }
      yield { kind: 'complete', exitCode: 0, ...(mapper.usage && { usage: { ...mapper.usage } }) }
    } catch (error) {
      signal.throwIfAborted()
      const failure = mapper.failure(error)
      if (mapper.usage === null) throw failure
      // What was used before is paid for all the same.
      const { code, message, exitCode } = failure
      yield { kind: 'complete', exitCode, error: { code, message }, usage: { ...mapper.usage } }
    } finally {
      // The SDK's stream is one of two: leaving it does not end the request.
      ended.abort()
    }
  }

  return { run, ...(optionsSchema && { optionsSchema }) }
}

interface ResponseMessage {
  role: string
  content: string | Array<{ type: string, toolCallId?: string, [more: string]: unknown }>
}

interface Decided {
  response: { type: 'tool-approval-response', approvalId: string, approved: boolean, reason?: string, providerExecuted?: true }
  /** What the call is to get in place of what it would have got. */
  input?: { toolCallId: string, toolName: string, updatedInput: unknown }
}

async function decide ({ approvalId, toolCall, signature }: ApprovalRequest, mapper: PartMapper, context: RunContext, signal: AbortSignal): Promise<Decided> {
  const { toolCallId, toolName, input, providerExecuted } = toolCall
  const decision = await context.requestPermission({ toolId: mapper.toolId(toolCall), toolName, input }, { signal })
  const { updatedInput } = decision
  // A service's own call has left with its input, and a signature is good for no other.
  const cannot = decision.allow && updatedInput !== undefined && (signature !== undefined || providerExecuted === true)
  const approved = decision.allow && !cannot
  const reason = cannot ? 'The input of this call cannot be changed.' : decision.message
  if (!approved && reason !== undefined) mapper.refusals.set(toolCallId, reason)
  return {
    response: { type: 'tool-approval-response', approvalId, approved, ...(reason !== undefined && { reason }), ...(providerExecuted === true && { providerExecuted }) },
    ...(approved && updatedInput !== undefined && { input: { toolCallId, toolName, updatedInput } })
  }
}

/** The SDK makes the call that it finds in the messages; `inputSchemaInput` is what it was before the schema had its say. */
function changeInput (messages: ResponseMessage[], { toolCallId, updatedInput }: { toolCallId: string, updatedInput: unknown }): void {
  for (const [i, message] of messages.entries()) {
    if (message.role !== 'assistant' || typeof message.content === 'string') continue
    const content = message.content.map((part) => {
      if (part.toolCallId !== toolCallId) return part
      if (part.type === 'tool-call') return { ...part, input: updatedInput }
      const { inputSchemaInput, ...request } = part
      return part.type === 'tool-approval-request' ? request : part
    })
    messages[i] = { ...message, content }
  }
}
