/* Clients that answer approvals, and what they were told. */
import { isRunsError, wireCode } from '../../lib/protocol/errors.ts'
import type { PermissionDecision } from '../../lib/protocol/words.ts'
import type { Approval } from './approvals.ts'
import { ConnectionLost, type Server } from './server.ts'
import type { World } from './world.ts'

interface Answer {
  readonly requestId: string
  readonly decision: PermissionDecision
  /** `permission_resolved`, or the code of the error. */
  readonly came: string
}

/** What leaves it open whose answer holds. */
const UNKNOWN = new Set(['CONNECTION_LOST', 'STORE_UNAVAILABLE', 'STORE_FAILED'])

export class Answers {
  readonly #given: Answer[] = []
  readonly #world: World
  readonly #servers: Server[]
  #count = 0

  constructor (servers: Server[], world: World) {
    this.#servers = servers
    this.#world = world
  }

  /** A client that does nothing else: so many times. */
  async act (times: number): Promise<void> {
    const { loop, prng } = this.#world
    for (let left = times; left > 0; left--) {
      await loop.sleep(prng.between(1, prng.chance(0.3) ? 1_000 : 60))
      const approval = this.pick()
      if (approval !== null) await this.give(approval)
    }
  }

  /** One that waits, most of the time, or any other; null if there never was one. */
  pick (): Approval | null {
    const { prng, ledger } = this.#world
    const all = ledger.approvals.all
    const waiting = all.filter(({ outcome }) => outcome === null)
    if (all.length === 0) return null
    return waiting.length > 0 && prng.chance(0.9) ? prng.pick(waiting) : prng.pick(all)
  }

  /** Answers it once, or twice at the same time. */
  async give (approval: Approval): Promise<void> {
    await Promise.all(Array.from({ length: this.#world.prng.pick([1, 1, 2]) }, () => this.answer(approval)))
  }

  /** What waits and was not decided is decided now. */
  async all (): Promise<void> {
    const { ledger } = this.#world
    const open = ledger.approvals.all.filter(({ sessionId, decision, outcome }) => decision === null && outcome === null && !ledger.deleted.has(sessionId))
    await Promise.all(open.map((approval) => this.answer(approval, true)))
  }

  async answer ({ sessionId, request: { requestId, options = [] } }: Approval, sound = false): Promise<void> {
    const { prng, journal, loop } = this.#world
    const server = prng.pick(this.#servers)
    const allow = prng.chance(0.6)
    const optionId = prng.chance(0.5) ? undefined : !sound && prng.chance(0.1) ? 'none' : prng.pick([undefined, ...options])?.optionId
    // Nobody else's is the same.
    const decision = { allow, ...(optionId !== undefined && { optionId }), ...(allow && prng.chance(0.3) && { updatedInput: { by: this.#count } }), message: `answer ${++this.#count}` }
    journal.note(`${server.name} is told of ${requestId}: ${JSON.stringify(decision)}`)
    await loop.step()
    const came = await this.#send(server, sessionId, requestId, decision)
    journal.note(`${decision.message} came to ${came}`)
    this.#judge(sessionId, requestId, decision, came)
    this.#given.push({ requestId, decision, came })
  }

  async #send (server: Server, sessionId: string, requestId: string, decision: PermissionDecision): Promise<string> {
    const { ledger, journal } = this.#world
    try {
      const event = await server.ask((registry) => registry.answerPermission({ sessionId, requestId, ...decision }))
      const logged = ledger.approvals.all.find((approval) => approval.request.requestId === requestId)?.outcome
      if (JSON.stringify(event) !== JSON.stringify(logged)) journal.violation('C11', `${decision.message} came to ${JSON.stringify(event)}, the log says ${JSON.stringify(logged)}`)
      return event.kind
    } catch (error) {
      if (!(error instanceof ConnectionLost) && !isRunsError(error)) throw error
      return isRunsError(error) ? wireCode(error) : 'CONNECTION_LOST'
    }
  }

  #judge (sessionId: string, requestId: string, { optionId, message }: PermissionDecision, came: string): void {
    const { journal, ledger, weather } = this.#world
    const isPossible = (): boolean => {
      if (came === 'permission_resolved' || came === 'PERMISSION_ALREADY_RESOLVED') return optionId !== 'none'
      if (came === 'INVALID_REQUEST') return optionId === 'none'
      if (came === 'SESSION_DELETED') return ledger.deleted.has(sessionId)
      return UNKNOWN.has(came) && weather.disturbed
    }
    if (!isPossible()) journal.violation('C11', `${message} to ${requestId} came to ${came}`)
  }

  /** At the end: whose answer holds knows so, and nobody else thinks it is theirs. */
  verify (): void {
    const { journal, ledger } = this.#world
    for (const { request: { requestId }, decision, outcome, sessionId } of ledger.approvals.all) {
      if (ledger.deleted.has(sessionId)) continue
      for (const answer of this.#given.filter((given) => given.requestId === requestId)) {
        const holds = outcome?.kind === 'permission_resolved' && JSON.stringify(answer.decision) === JSON.stringify(decision)
        if (!UNKNOWN.has(answer.came) && holds !== (answer.came === 'permission_resolved')) {
          journal.violation('C11', `${answer.decision.message} came to ${answer.came}, decided was ${JSON.stringify(decision)}, and the log says ${JSON.stringify(outcome)}`)
        }
      }
    }
  }
}
