/* The truth about approvals: what the log says of each, what the database decided, and what the agents were told. */
import type { CompleteEvent, Event, EventOf } from '../../lib/protocol/event.ts'
import type { PermissionDecision } from '../../lib/protocol/words.ts'
import type { Journal } from './journal.ts'

type Outcome = EventOf<'permission_resolved'> | EventOf<'permission_cancelled'>

export interface Approval {
  readonly sessionId: string
  readonly runId: string
  readonly request: EventOf<'permission_request'>
  /** What the database holds. */
  decision: PermissionDecision | null
  outcome: Outcome | null
  /** Whether its agent heard a decision. */
  told: boolean
}

export class Approvals {
  readonly #approvals = new Map<string, Approval>()
  readonly #journal: Journal

  constructor (journal: Journal) {
    this.#journal = journal
  }

  get all (): Approval[] {
    return [...this.#approvals.values()]
  }

  /** Takes in what was just committed. */
  committed (event: Event): void {
    if (event.kind === 'permission_request') this.#requested(event)
    else if (event.kind === 'permission_resolved' || event.kind === 'permission_cancelled') this.#settled(event)
    else if (event.kind === 'complete') this.#ended(event)
  }

  /** The database has said that this answer is the one that holds. */
  decided (requestId: string, decision: PermissionDecision): void {
    const approval = this.#approvals.get(requestId)
    if (approval === undefined) return this.#violation(`${requestId} was decided, and nobody asked for it`)
    if (approval.decision !== null) this.#violation(`${requestId} was decided twice: ${show(approval.decision)} and ${show(decision)}`)
    if (approval.outcome !== null) this.#violation(`${requestId} was decided after its ${show(approval.outcome)}`)
    approval.decision = decision
  }

  /** The agent that asked under this name hears a decision. */
  told (name: string, decision: PermissionDecision, stopped: boolean): void {
    const approval = this.all.find(({ request }) => (request.input as { of: string }).of === name)
    if (approval === undefined) return this.#violation(`the agent of ${name} was told ${show(decision)}, and never asked`)
    const { requestId } = approval.request
    if (approval.told) this.#violation(`the agent was told twice of ${requestId}`)
    if (stopped) this.#violation(`the agent was told of ${requestId} once it was stopped`)
    if (approval.outcome?.kind !== 'permission_resolved') this.#violation(`the agent was told ${show(decision)} of ${requestId}, the log says ${show(approval.outcome)}`)
    if (show(decision) !== show(approval.decision)) this.#violation(`the agent was told ${show(decision)} of ${requestId}, it was ${show(approval.decision)}`)
    approval.told = true
  }

  #requested (request: EventOf<'permission_request'>): void {
    const { requestId, sessionId, runId } = request
    if (this.#approvals.has(requestId)) this.#violation(`${requestId} was asked for twice`)
    this.#approvals.set(requestId, { sessionId, runId, request, decision: null, outcome: null, told: false })
  }

  #settled (outcome: Outcome): void {
    const { requestId, runId } = outcome
    const approval = this.#approvals.get(requestId)
    if (approval?.runId !== runId) return this.#violation(`${show(outcome)} is of no request of ${runId}`)
    if (approval.outcome !== null) this.#violation(`${show(outcome)} comes after ${show(approval.outcome)}`)
    approval.outcome = outcome
    if (outcome.kind === 'permission_cancelled') {
      const { withdrawn } = approval.request.input as { withdrawn: boolean }
      if (outcome.reason === 'withdrawn' && !withdrawn) this.#violation(`${show(outcome)}, and its agent did not take it back`)
      return
    }
    const { decision } = approval
    if (outcome.allow !== decision?.allow || outcome.optionId !== decision?.optionId) this.#violation(`${show(outcome)} was committed, decided is ${show(decision)}`)
  }

  /** What nobody decided is cancelled with the run, right before its end. */
  #ended ({ runId, seq, reason }: CompleteEvent): void {
    const mine = this.all.filter((approval) => approval.runId === runId)
    for (const { request, outcome } of mine) if (outcome === null) this.#violation(`${request.requestId} has no outcome, and ${runId} has ended`)
    const cancelled = mine.flatMap(({ outcome }) => outcome?.kind === 'permission_cancelled' && outcome.reason !== 'withdrawn' ? [outcome] : [])
    for (const outcome of cancelled) {
      if (outcome.reason !== reason) this.#violation(`${show(outcome)} in a run that was ${reason}`)
      if (outcome.seq < seq - cancelled.length) this.#violation(`${show(outcome)} does not stand right before the end, ${seq}`)
    }
  }

  #violation (what: string): void {
    this.#journal.violation('C11', what)
  }
}

function show (value: unknown): string {
  return JSON.stringify(value)
}
