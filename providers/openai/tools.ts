/* The app's own tools: asks for permission where one needs it, and runs them. */
import { eventQueue, type EventQueue } from '../../lib/provider/event-queue.ts'
import { ProviderError, type ProviderEvent, type RunContext } from '../../lib/provider/provider.ts'
import { isObject } from './call-assembly.ts'
import { type ChatMessage, resultText } from './messages.ts'
import type { ModelCall } from './model-call.ts'
import type { ModelState } from './model-state.ts'

/** A tool that the model may call. */
export interface Tool {
  /** For the model: what it does, and when to use it. */
  description: string
  /** What it takes: the JSON schema of an object. The model is told; the tool checks. */
  parameters: Record<string, unknown>
  /**
   * Does it. What it answers must be JSON; the model and the clients read it. So they do the message of a ProviderError that it
   * throws; of other errors they only read that the tool failed.
   */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the input is what `parameters` says
  execute: (input: any, context: ToolContext) => unknown
  /** Whether somebody has to allow the call first, or how to tell by its input. Default: no. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as above
  needsApproval?: boolean | ((input: any) => boolean)
}

/** What a tool knows of the run that it is called in. */
export interface ToolContext extends Pick<RunContext, 'session' | 'context'> {
  /** Aborted when the run ends. */
  signal: AbortSignal
}

interface Outcome {
  content: unknown
  isError: boolean
}

/**
 * Makes calls, all at once, as the model asked for them. Yields them and their results as they come; answers the results as
 * the model reads them, in the order of the calls. The log keeps `modelState` with the first call.
 */
export async function * callTools (calls: ModelCall[], tools: Record<string, Tool>, context: RunContext, { signal, modelState }: { signal: AbortSignal, modelState: ModelState | undefined }): AsyncGenerator<ProviderEvent, ChatMessage[]> {
  for (const [i, call] of calls.entries()) {
    yield { kind: 'tool_use', toolId: call.id, toolName: call.name || 'unnamed', toolInput: inputOf(call) ?? call.json, ...(i === 0 && modelState !== undefined && { modelState }) }
  }
  const queue = eventQueue()
  // A tool may not listen to the signal: nobody waits for it.
  const stop = (): void => queue.end()
  signal.addEventListener('abort', stop, { once: true })
  const outcomes: Outcome[] = []
  const made = calls.map(async (call, i) => {
    const outcome = await make(call, tools, context, queue, signal)
    outcomes[i] = outcome
    queue.push({ kind: 'tool_result', toolId: call.id, toolResult: outcome })
  })
  Promise.all(made).then(() => queue.end(), (error: unknown) => queue.fail(error))
  try {
    yield * queue
  } finally {
    signal.removeEventListener('abort', stop)
  }
  signal.throwIfAborted()
  return calls.map(({ id }, i): ChatMessage => ({ role: 'tool', tool_call_id: id, content: resultText(outcomes[i]!.content) }))
}

async function make (call: ModelCall, tools: Record<string, Tool>, context: RunContext, queue: EventQueue, signal: AbortSignal): Promise<Outcome> {
  const { id: toolId, name: toolName } = call
  // The model can do better with its next call.
  if (!Object.hasOwn(tools, toolName)) return { content: `There is no tool "${toolName}".`, isError: true }
  const tool = tools[toolName]!
  let input = inputOf(call)
  if (input === null) return { content: 'The arguments are not the JSON of an object.', isError: true }
  if (typeof tool.needsApproval === 'function' ? tool.needsApproval(input) : tool.needsApproval === true) {
    const { allow, updatedInput, message } = await context.requestPermission({ toolId, toolName, input }, { signal })
    if (!allow) return { content: message ?? 'The user does not allow this.', isError: true }
    if (updatedInput !== undefined) {
      input = updatedInput
      // The log says what the tool got.
      queue.push({ kind: 'tool_use', toolId, toolName, toolInput: input })
    }
  }
  try {
    const { session, context: trusted } = context
    return { content: asJson(await tool.execute(input, { session, context: trusted, signal })), isError: false }
  } catch (error) {
    if (error instanceof ProviderError) return { content: error.message, isError: true }
    context.log.error({ err: error, runId: context.runId, toolName }, 'a tool failed')
    return { content: 'The tool failed.', isError: true }
  }
}

/** What the call gives to its tool; null if that is no object. A call of nothing but a name gives an empty one. */
function inputOf ({ json }: ModelCall): unknown {
  if (json.trim() === '') return {}
  return isObject(json) ? JSON.parse(json) : null
}

/** A tool's answer as plain JSON; throws what JSON.stringify throws. */
function asJson (value: unknown): unknown {
  const json = JSON.stringify(value)
  return json === undefined ? null : JSON.parse(json)
}
