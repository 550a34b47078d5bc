/* A tool's permission request ↔ an approval. */
import { setImmediate as turnOfTheLoop } from 'node:timers/promises'
import type { EventQueue } from '../../lib/provider/event-queue.ts'
import { ProviderError, type RunContext } from '../../lib/provider/provider.ts'
import type { MessageMapper } from './messages.ts'
import type { PermissionResult, ToolAsking } from './sdk.ts'

type Input = Record<string, unknown>

/** Asks the session's clients; answers in the agent's own form. Never rejects. */
export async function askPermission (
  { requestPermission }: RunContext, queue: EventQueue, mapper: MessageMapper, toolName: string, input: Input, { signal, toolUseID: toolId }: ToolAsking
): Promise<PermissionResult> {
  try {
    // What led to it comes before it in the log. The SDK hands on messages and requests by different ways.
    await turnOfTheLoop()
    if (!mapper.knows(toolId)) queue.push(mapper.tool(toolId, toolName, input))
    await queue.taken()
    const { allow, updatedInput = input, message } = await requestPermission({ toolId, toolName, input }, { signal })
    if (!allow) return { behavior: 'deny', message: message ?? 'The user refused.' }
    if (!isObject(updatedInput)) return { behavior: 'deny', message: 'The input that the user gave is no object.' }
    if (updatedInput !== input) queue.push(mapper.tool(toolId, toolName, updatedInput))
    return { behavior: 'allow', updatedInput }
  } catch (error) {
    if (error instanceof ProviderError) return { behavior: 'deny', message: error.message }
    // The run has ended, or the agent has taken its request back.
    return { behavior: 'deny', message: 'Nobody can be asked any more.', interrupt: true }
  }
}

function isObject (value: unknown): value is Input {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
