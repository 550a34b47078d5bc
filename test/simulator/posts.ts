/* Every message that was posted, what its clients were told, and what must have become of it. */
import { isRunsError, wireCode } from '../../lib/protocol/errors.ts'
import type { StartedRun } from '../../lib/protocol/words.ts'
import type { OnBusy } from '../../lib/store/store.ts'
import { ConnectionLost, type Server } from './server.ts'
import type { World } from './world.ts'

export interface Message {
  readonly sessionId: string
  readonly content: string
  readonly onBusy: OnBusy
  readonly key: string | null
  readonly accepted: StartedRun[]
  /** Whether an answer left it open what became of the message. */
  uncertain: boolean
}

export class Posts {
  readonly messages: Message[] = []
  readonly #world: World

  constructor (world: World) {
    this.#world = world
  }

  /** Another message, under `key` or, if it is `true`, under one of its own. */
  message (sessionId: string, onBusy: OnBusy, key: string | boolean, prefix = 'message'): Message {
    const content = `${prefix} ${this.messages.length + 1}`
    const message: Message = { sessionId, content, onBusy, key: key === true ? `key-${this.messages.length + 1}` : key || null, accepted: [], uncertain: false }
    this.messages.push(message)
    return message
  }

  /** Sends a message; the code of the error with which it was refused, or null. */
  async send (message: Message, server: Server): Promise<string | null> {
    const { journal, loop } = this.#world
    const { sessionId, content, onBusy, key } = message
    journal.note(`post to ${server.name} ${sessionId}: ${content}, ${onBusy}${key === null ? '' : `, ${key}`}`)
    await loop.step()
    try {
      const answer = await server.ask((registry) => registry.startRun({ sessionId, content, onBusy, ...(key !== null && { idempotencyKey: key }) }))
      journal.note(`${content} is ${answer.status} as ${answer.runId} after ${answer.cursor}`)
      message.accepted.push(answer)
      if (!this.#world.ledger.runs.has(answer.runId)) journal.violation('C10', `${content} was accepted as ${answer.runId}, which is not durable`)
      return null
    } catch (error) {
      if (!(error instanceof ConnectionLost) && !isRunsError(error)) throw error
      const code = isRunsError(error) ? wireCode(error) : 'CONNECTION_LOST'
      journal.note(`${content} is refused: ${code}`)
      if (['CONNECTION_LOST', 'STORE_UNAVAILABLE', 'STORE_FAILED'].includes(code)) message.uncertain = true
      return code
    }
  }

  /** At the end, when nothing runs or waits any more. */
  verify (): void {
    for (const message of this.messages) this.#verify(message)
  }

  #verify ({ sessionId, content, accepted, uncertain }: Message): void {
    const { journal, ledger, weather } = this.#world
    const runs = [...ledger.runs.values()].filter((run) => run.content === content)
    if (runs.length > 1) journal.violation('C10', `${content} became ${runs.map(({ runId }) => runId).join(' and ')}`)
    if (runs.length > 0 && accepted.length === 0 && !uncertain) journal.violation('C10', `${content} was refused, and became ${runs[0]!.runId}`)
    for (const { runId, cursor } of accepted) {
      const run = ledger.runs.get(runId)
      const { reason, error } = run?.complete ?? {}
      const isLost = reason === 'interrupted' || error?.code === 'STORE_REFUSED' || (run?.closed === true && reason === 'failed')
      if (isLost && !weather.deadly) journal.violation('C5', `${runId} ended as ${error?.code ?? reason} though the store was never away for long`)
      if (run?.content !== content) journal.violation('C10', `${content} was accepted as ${runId}, which is "${run?.content}"`)
      if (run?.firstSeq != null && run.firstSeq <= cursor) journal.violation('C1', `${runId} begins at ${run.firstSeq}, it was to be followed from ${cursor}`)
    }
    if (accepted.length > 0 && runs[0]?.complete === null && !ledger.deleted.has(sessionId)) journal.violation('C8', `${content} never ended`)
  }
}
