/* An agent's questions to the user ↔ approvals with a text. */
import type { CreateElicitationRequest, CreateElicitationResponse } from '@agentclientprotocol/sdk'
import type { PermissionDecision, PermissionOption, PermissionRequest } from '../../lib/protocol/words.ts'
import type { EventQueue } from '../../lib/provider/event-queue.ts'
import type { RunContext } from '../../lib/provider/provider.ts'

/** The id of the option "none of these", which we add. */
export const NONE = '_none'

/** Who is asked, and may the question be taken back. */
export interface Asking {
  context: RunContext
  queue: EventQueue
  signal: AbortSignal
}

/** Asks; null if nobody can be asked any more. */
export async function ask ({ context, queue, signal }: Asking, request: PermissionRequest): Promise<PermissionDecision | null> {
  try {
    // What led to it comes before it in the log.
    await queue.taken()
    return await context.requestPermission(request, { signal })
  } catch {
    return null
  }
}

type Content = Record<string, string | number | boolean | string[]>
interface Property { type?: string, enum?: unknown[], oneOf?: Array<{ const?: unknown, title?: string }>, default?: unknown }
interface Form { properties?: Record<string, Property>, required?: string[] | null }

/**
 * `elicitation/create`: the input of the approval is `{ message, schema }`, or `{ message, url }`. A form of one choice offers
 * it as options; other forms are answered by `updatedInput`, one text also by `message`.
 */
export async function askForm (asking: Asking, request: CreateElicitationRequest): Promise<CreateElicitationResponse> {
  const { message, mode, toolCallId, requestedSchema: schema = {}, url } = request as { message: string, mode: string, toolCallId?: string | null, requestedSchema?: Form, url?: string }
  const choices = mode === 'form' ? choicesOf(schema) : []
  const decision = await ask(asking, {
    ...(toolCallId && { toolId: toolCallId }),
    toolName: 'question',
    input: mode === 'form' ? { message, schema } : { message, url },
    ...(choices.length > 0 && { options: withRefusal(choices) })
  })
  if (decision === null) return { action: 'cancel' }
  if (!decision.allow || decision.optionId === NONE) return { action: 'decline' }
  if (mode !== 'form') return { action: 'accept' }
  const content = contentOf(schema, decision)
  return content === null ? { action: 'decline' } : { action: 'accept', content }
}

/** The form's answer; null if the decision leaves something out that has to be there. */
function contentOf (form: Form, { optionId, updatedInput, message }: PermissionDecision): Content | null {
  const { properties = {}, required } = form
  const defaults = Object.fromEntries(Object.entries(properties).flatMap(([name, property]) => property.default == null ? [] : [[name, property.default]]))
  const [choice, text] = [choiceIn(form), textIn(form)]
  const content = {
    ...defaults,
    ...(choice !== undefined && optionId !== undefined && { [choice]: optionId }),
    ...(text !== undefined && message !== undefined && { [text]: message }),
    ...(typeof updatedInput === 'object' && updatedInput)
  } as Content
  return (required ?? []).every((name) => Object.hasOwn(content, name)) ? content : null
}

/** The choices of a form that asks for one of several texts; it may have a field for other words beside them. */
function choicesOf (form: Form): PermissionOption[] {
  const choice = choiceIn(form)
  if (choice === undefined) return []
  const only = form.properties![choice]!
  const titled = only.oneOf ?? only.enum?.map((value) => ({ const: value, title: String(value) })) ?? []
  return titled.map(({ const: value, title }) => ({ optionId: String(value), name: title ?? String(value) }))
}

/** The field that is a choice, if nothing else has to be filled in. */
function choiceIn ({ properties = {}, required }: Form): string | undefined {
  const [choice, ...others] = Object.keys(properties).filter((name) => isChoice(properties[name]!))
  return others.length === 0 && (required ?? []).every((name) => name === choice) ? choice : undefined
}

/** The one field for a text, or a choice that may be any text. */
function textIn ({ properties = {} }: Form): string | undefined {
  const [text, ...others] = Object.keys(properties).filter((name) => (properties[name]!.type ?? 'string') === 'string' && !isChoice(properties[name]!))
  return others.length === 0 ? text : undefined
}

function isChoice (property: Property): boolean {
  return property.oneOf !== undefined || property.enum !== undefined
}

/** The choices, and "none of these". */
export function withRefusal (choices: PermissionOption[]): PermissionOption[] {
  return [...choices, { optionId: NONE, name: 'None of these', kind: 'reject_once' }]
}
