/* The tools of a run, and the approvals that are asked for on their parts. */
import type { EventOf } from '../../../lib/protocol/event.ts'
import type { Chunk } from './chunks.ts'
import type { Steps } from './steps.ts'

/** A tool's part in the client's message. */
interface Tool {
  /** The step that the part is in. */
  step: number
  /** Whether it was told what came of it. */
  over: boolean
  denied: boolean
  /** Whether an approval was asked for on it: that of another would take its place, and no client would tell us of both. */
  asked: boolean
}

/** An approval, and the part on which it is asked for. */
interface Approval {
  toolCallId: string
  /** Whether the part is there for the approval alone. */
  own: boolean
  /** Whether the client was asked. */
  told: boolean
}

export class Tools {
  readonly #steps: Steps
  readonly #tools = new Map<string, Tool>()
  readonly #approvals = new Map<string, Approval>()

  constructor (steps: Steps) {
    this.#steps = steps
  }

  /** A call, or more of the input of one. A client finds the part only in its latest step. */
  call (toolCallId: string, toolName: string, input: unknown): Chunk[] {
    const known = this.#tools.get(toolCallId)
    if (known !== undefined && (known.over || known.step !== this.#steps.latest)) return []
    const chunks = known === undefined ? this.#steps.begin() : []
    if (known === undefined) this.#tools.set(toolCallId, { step: this.#steps.latest, over: false, denied: false, asked: false })
    // Clients leave alone what is executed elsewhere: they neither run it nor post its result.
    return [...chunks, { type: 'tool-input-available', toolCallId, toolName, input: input ?? null, dynamic: true, providerExecuted: true }]
  }

  /** What a tool has so far. */
  update ({ toolId, content }: EventOf<'tool_update'>): Chunk[] {
    if (content === undefined || this.#tools.get(toolId)?.over !== false) return []
    return [{ type: 'tool-output-available', toolCallId: toolId, output: content, preliminary: true, dynamic: true }]
  }

  result ({ toolId, toolResult: { content, isError } }: EventOf<'tool_result'>): Chunk[] {
    // Without its part a client throws.
    const chunks = this.#tools.has(toolId) ? [] : this.call(toolId, 'unknown', null)
    // The error of a tool that was denied is that it was denied.
    if (isError && this.#tools.get(toolId)!.denied) return []
    return [...chunks, isError ? this.#fail(toolId, textOf(content)) : this.#succeed(toolId, content)]
  }

  /**
   * A request for an approval. With `told` the client is asked, in its latest step, in which nothing else may be open, as it posts
   * no answer before: on the tool's part, if that is there, else on a part of its own, in a step of its own if need be.
   */
  request ({ requestId, toolId, toolName, input }: EventOf<'permission_request'>, told: boolean): Chunk[] {
    // Only who is asked is in need of it: it goes through all tools of the run.
    const open = !told ? [] : [...this.#tools].filter(([, { step, over }]) => !over && step === this.#steps.latest).map(([id]) => id)
    const takes = ({ over, asked }: Tool): boolean => !over && (!told || (!asked && open.length === 1 && open[0] === toolId))
    const tool = this.#tools.get(toolId ?? requestId)
    const toolCallId = toolId !== undefined && (tool === undefined || takes(tool)) ? toolId : requestId
    const chunks: Chunk[] = []
    if (!this.#tools.has(toolCallId)) {
      if (told && open.length > 0) chunks.push(...this.#steps.finish())
      chunks.push(...this.call(toolCallId, toolName, input))
    }
    this.#approvals.set(requestId, { toolCallId, own: toolCallId === requestId, told })
    if (!told) return chunks
    this.#tools.get(toolCallId)!.asked = true
    chunks.push({ type: 'tool-approval-request', approvalId: requestId, toolCallId })
    return chunks
  }

  resolve ({ requestId, allow, optionId }: EventOf<'permission_resolved'>): Chunk[] {
    const approval = this.#openApproval(requestId)
    if (approval === null) return []
    const { toolCallId, own, told } = approval
    if (allow) return own ? [this.#succeed(toolCallId, { allow, ...(optionId !== undefined && { optionId }) })] : []
    this.#over(toolCallId).denied = true
    // Clients look for the approval of what was denied.
    const asked: Chunk[] = told ? [] : [{ type: 'tool-approval-request', approvalId: requestId, toolCallId }]
    return [...asked, { type: 'tool-output-denied', toolCallId }]
  }

  cancel ({ requestId, reason }: EventOf<'permission_cancelled'>): Chunk[] {
    const approval = this.#openApproval(requestId)
    if (approval?.own !== true) return []
    return [this.#fail(approval.toolCallId, reason === 'withdrawn' ? 'The request was withdrawn.' : 'The run ended before the request was answered.')]
  }

  /** The run is over: no client may wait for a tool, nor post on its account. */
  close (): Chunk[] {
    return [...this.#tools].filter(([, { over }]) => !over).map(([toolCallId]) => this.#fail(toolCallId, 'The run ended before the tool did.'))
  }

  #openApproval (requestId: string): Approval | null {
    const approval = this.#approvals.get(requestId)
    return approval === undefined || this.#tools.get(approval.toolCallId)!.over ? null : approval
  }

  #succeed (toolCallId: string, output: unknown): Chunk {
    this.#over(toolCallId)
    return { type: 'tool-output-available', toolCallId, output: output ?? null, dynamic: true }
  }

  #fail (toolCallId: string, errorText: string): Chunk {
    this.#over(toolCallId)
    return { type: 'tool-output-error', toolCallId, errorText, dynamic: true }
  }

  #over (toolCallId: string): Tool {
    const tool = this.#tools.get(toolCallId)!
    tool.over = true
    this.#steps.resulted()
    return tool
  }
}

/** What a tool's error says, in whichever form its agent has put it. */
function textOf (content: unknown): string {
  if (typeof content === 'string') return content
  if (Array.isArray(content)) return content.map(textOf).filter((text) => text !== '').join('\n')
  const { text, message, content: inner } = (content ?? {}) as Record<string, unknown>
  for (const words of [text, message]) if (typeof words === 'string') return words
  return inner === undefined ? JSON.stringify(content ?? null) : textOf(inner)
}
