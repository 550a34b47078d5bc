/* An agent's permission request ↔ an approval. */
import type { PermissionOption, RequestPermissionRequest, RequestPermissionResponse } from '@agentclientprotocol/sdk'
import type { PermissionDecision } from '../../lib/protocol/words.ts'
import { ask, type Asking } from './questions.ts'

const CANCELLED: RequestPermissionResponse = { outcome: { outcome: 'cancelled' } }

/** Asks the session's clients; answers in the agent's own form. `tool` is what is known of the call. */
export async function askPermission (asking: Asking, tool: { toolName: string, toolInput: unknown } | undefined, { toolCall, options }: RequestPermissionRequest): Promise<RequestPermissionResponse> {
  const decision = await ask(asking, {
    toolId: toolCall.toolCallId,
    toolName: toolCall.name ?? tool?.toolName ?? toolCall.title ?? 'tool',
    // Gemini CLI says only in words what it is about.
    input: toolCall.rawInput ?? tool?.toolInput ?? (toolCall.content?.length ? { content: toolCall.content } : null),
    options: options.map(({ optionId, name, kind }) => ({ optionId, name, kind }))
  })
  // Without a decision the run has ended, or the agent has taken its request back.
  const optionId = decision === null ? null : chosen(decision, options)
  return optionId === null ? CANCELLED : { outcome: { outcome: 'selected', optionId } }
}

/** The option that says what was decided; once is enough where nobody chose for ever. */
function chosen ({ allow, optionId }: PermissionDecision, options: PermissionOption[]): string | null {
  if (optionId !== undefined) return optionId
  const kinds = allow ? ['allow_once', 'allow_always'] : ['reject_once', 'reject_always']
  const option = kinds.flatMap((kind) => options.find((each) => each.kind === kind) ?? [])[0]
  return option?.optionId ?? null
}
