/* The tool by which the agent asks the user: a question of one choice is offered as options. */
import type { PermissionDecision, PermissionOption } from '../../lib/protocol/words.ts'

interface Question {
  question: string
  options: Array<{ label: string }>
  multiSelect?: boolean
}

const TOOL = 'AskUserQuestion'

/** The choices of a tool call that is one question; undefined for everything else. */
export function choicesOf (toolName: string, input: Record<string, unknown>): PermissionOption[] | undefined {
  const question = onlyQuestion(toolName, input)
  if (question === undefined || question.multiSelect === true) return undefined
  return question.options.map(({ label }) => ({ optionId: label, name: label }))
}

/** The input that answers a question by the option that was chosen, or in the user's own words; undefined if it is none. */
export function answered (toolName: string, input: Record<string, unknown>, { optionId, updatedInput, message }: PermissionDecision): Record<string, unknown> | undefined {
  const question = onlyQuestion(toolName, input)
  const answer = optionId ?? message
  if (question === undefined || answer === undefined || updatedInput !== undefined) return undefined
  return { ...input, answers: { [question.question]: answer } }
}

function onlyQuestion (toolName: string, { questions }: Record<string, unknown>): Question | undefined {
  if (toolName !== TOOL || !Array.isArray(questions) || questions.length !== 1) return undefined
  const question = questions[0] as Partial<Question> | null
  return typeof question?.question === 'string' && Array.isArray(question.options) ? question as Question : undefined
}
