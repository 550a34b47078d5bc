/* An agent's permission request ↔ an approval. */
import type { PermissionOption, RequestPermissionRequest, RequestPermissionResponse } from '@agentclientprotocol/sdk'
import type { PermissionDecision } from '../../lib/protocol/words.ts'
import type { EventQueue } from '../../lib/provider/event-queue.ts'
import type { RunContext } from '../../lib/provider/provider.ts'

const CANCELLED: RequestPermissionResponse = { outcome: { outcome: 'cancelled' } }

/** Asks the session's clients; answers in the agent's own form. */
export async function askPermission (
  { requestPermission }: RunContext, queue: EventQueue, tool: { toolName: string, toolInput: unknown } | undefined, { toolCall, options }: RequestPermissionRequest, signal: AbortSignal
): Promise<RequestPermissionResponse> {
  try {
    // What led to it comes before it in the log.
    await queue.taken()
    const decision = await requestPermission({
      toolId: toolCall.toolCallId,
      toolName: toolCall.name ?? tool?.toolName ?? toolCall.title ?? 'tool',
      input: toolCall.rawInput ?? tool?.toolInput ?? null,
      options: options.map(({ optionId, name, kind }) => ({ optionId, name, kind }))
    }, { signal })
    const optionId = chosen(decision, options)
    return optionId === null ? CANCELLED : { outcome: { outcome: 'selected', optionId } }
  } catch {
    // The run has ended, or the agent has taken its request back.
    return CANCELLED
  }
}

/** The option that says what was decided; once is enough where nobody chose for ever. */
function chosen ({ allow, optionId }: PermissionDecision, options: PermissionOption[]): string | null {
  if (optionId !== undefined) return optionId
  const kinds = allow ? ['allow_once', 'allow_always'] : ['reject_once', 'reject_always']
  const option = kinds.flatMap((kind) => options.find((each) => each.kind === kind) ?? [])[0]
  return option?.optionId ?? null
}
