/* A tool's permission request ↔ an approval. */
import { setImmediate as turnOfTheLoop } from 'node:timers/promises'
import type { PermissionOption } from '../../lib/protocol/words.ts'
import type { EventQueue } from '../../lib/provider/event-queue.ts'
import { ProviderError, type RunContext } from '../../lib/provider/provider.ts'
import type { MessageMapper } from './messages.ts'
import { answered, choicesOf } from './questions.ts'
import type { PermissionResult, ToolAsking } from './sdk.ts'
import { nameOf, offered, type StandingPermissions } from './standing-permissions.ts'

export type Input = Record<string, unknown>

/** Where the answer of a turn's request goes. */
interface Turn {
  context: RunContext
  queue: EventQueue
  mapper: MessageMapper
  standing: StandingPermissions
}

const ALWAYS = 'always'
const NO = 'no'

/** Asks the session's clients; answers in the agent's own form. Never rejects. */
export async function askPermission ({ context, queue, mapper, standing }: Turn, toolName: string, input: Input, { signal, toolUseID: toolId, suggestions }: ToolAsking): Promise<PermissionResult> {
  try {
    // What led to it comes before it in the log. The SDK hands on messages and requests by different ways.
    await turnOfTheLoop()
    if (!mapper.knows(toolId)) queue.push(mapper.tool(toolId, toolName, input))
    await queue.taken()
    const choices = choicesOf(toolName, input)
    const always = choices === undefined ? offered(suggestions) : []
    const options = choices ?? (always.length === 0 ? undefined : yesNoAlways(nameOf(always)))
    const decision = await context.requestPermission({ toolId, toolName, input, ...(options && { options }) }, { signal })
    // The options of a question are its own.
    if (!decision.allow || (always.length > 0 && decision.optionId === NO)) return { behavior: 'deny', message: decision.message ?? 'The user refused.' }
    const updatedInput = answered(toolName, input, decision) ?? decision.updatedInput ?? input
    if (!isObject(updatedInput)) return { behavior: 'deny', message: 'The input that the user gave is no object.' }
    if (updatedInput !== input) queue.push(mapper.tool(toolId, toolName, updatedInput))
    if (decision.optionId !== ALWAYS || always.length === 0) return { behavior: 'allow', updatedInput }
    standing.add(context.session.id, always)
    return { behavior: 'allow', updatedInput, updatedPermissions: always }
  } catch (error) {
    if (error instanceof ProviderError) return { behavior: 'deny', message: error.message }
    // The run has ended, or the agent has taken its request back.
    return { behavior: 'deny', message: 'Nobody can be asked any more.', interrupt: true }
  }
}

function yesNoAlways (what: string): PermissionOption[] {
  return [
    { optionId: 'once', name: 'Yes', kind: 'allow_once' },
    { optionId: ALWAYS, name: `Yes, and from now on: ${what}`, kind: 'allow_always' },
    { optionId: NO, name: 'No', kind: 'reject_once' }
  ]
}

function isObject (value: unknown): value is Input {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
