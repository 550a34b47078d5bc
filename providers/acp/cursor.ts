/* Methods of Cursor's own, by what its documentation says of them: an agent that gets no answer waits for ever. */
import type { ClientApp } from '@agentclientprotocol/sdk'
import type { PermissionDecision } from '../../lib/protocol/words.ts'
import { ask, type Asking, NONE, withRefusal } from './questions.ts'

interface CursorQuestion { id: string, prompt: string, options?: Array<{ id: string, label: string }>, allowMultiple?: boolean }
interface CursorOutcome { outcome: { outcome: string, [field: string]: unknown } }

/** An approval for each question; several answers are `updatedInput: { selectedOptionIds }`. */
async function askQuestions (asking: Asking, { toolCallId, title, questions = [] }: { toolCallId?: string, title?: string, questions?: CursorQuestion[] }): Promise<CursorOutcome> {
  const answers = []
  for (const { id, prompt, options = [], allowMultiple = false } of questions) {
    const decision = await ask(asking, {
      ...(toolCallId !== undefined && { toolId: toolCallId }),
      toolName: 'question',
      input: { message: prompt, ...(title !== undefined && { title }), ...(allowMultiple && { allowMultiple }) },
      options: withRefusal(options.map(({ id: optionId, label }) => ({ optionId, name: label })))
    })
    if (decision === null) return { outcome: { outcome: 'cancelled' } }
    const selectedOptionIds = selected(decision)
    if (selectedOptionIds.length === 0) return { outcome: { outcome: 'skipped', reason: decision.message ?? 'The user did not choose.' } }
    answers.push({ questionId: id, selectedOptionIds })
  }
  return { outcome: { outcome: 'answered', answers } }
}

function selected ({ allow, optionId, updatedInput }: PermissionDecision): string[] {
  if (!allow) return []
  const several = (updatedInput as { selectedOptionIds?: unknown } | undefined)?.selectedOptionIds
  if (Array.isArray(several)) return several.map(String)
  return optionId === undefined || optionId === NONE ? [] : [optionId]
}

/** Yes accepts the plan, no refuses it with the user's words. */
async function askPlan (asking: Asking, { toolCallId, ...plan }: { toolCallId?: string } & Record<string, unknown>): Promise<CursorOutcome> {
  const decision = await ask(asking, { ...(toolCallId !== undefined && { toolId: toolCallId }), toolName: 'create_plan', input: plan })
  if (decision === null) return { outcome: { outcome: 'cancelled' } }
  return { outcome: decision.allow ? { outcome: 'accepted' } : { outcome: 'rejected', ...(decision.message !== undefined && { reason: decision.message }) } }
}

/** Takes Cursor's requests; `asking` tells who is asked in the turn that is under way, null if there is none. */
export function withCursorMethods (app: ClientApp, asking: (signal: AbortSignal) => Asking | null): ClientApp {
  const answer = (method: string, reply: (asking: Asking, params: never) => Promise<CursorOutcome>): void => {
    app.onRequest<object, CursorOutcome>(method, (params) => params as object, async ({ params, signal }) => {
      const asked = asking(signal)
      return asked === null ? { outcome: { outcome: 'cancelled' } } : reply(asked, params as never)
    })
  }
  answer('cursor/ask_question', askQuestions)
  answer('cursor/create_plan', askPlan)
  app.onRequest<{ todos?: unknown[] }, object>('cursor/update_todos', (params) => params as { todos?: unknown[] }, ({ params, signal }) => {
    asking(signal)?.queue.push({ kind: 'plan', entries: params.todos ?? [] })
    return {}
  })
  return app
}
