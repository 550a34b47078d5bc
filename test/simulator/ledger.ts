/*
 * The truth: what the database committed, seen at the moment at which it did. Knows each session's log, the runs that
 * were accepted, and the order in which they wait; whatever else is delivered, answered or stored is compared with it.
 */
import type { CompleteEvent, Event } from '../../lib/protocol/event.ts'
import type { PermissionDecision } from '../../lib/protocol/words.ts'
import type { AppendGroup, LogPage, NewRun, Promotion, RunStart, Store } from '../../lib/store/store.ts'
import { Approvals } from './approvals.ts'
import type { Journal } from './journal.ts'
import { SessionLog } from './session-log.ts'

const EVERYTHING = { rows: 1_000_000, bytes: 1_000_000_000 }

export interface LoggedRun {
  readonly runId: string
  readonly log: SessionLog
  readonly content: string
  readonly key: string | null
  readonly hash: string | null
  /** Null while it waits. */
  firstSeq: number | null
  cancelled: boolean
  /** Ended from outside. */
  closed: boolean
  complete: CompleteEvent | null
}

export class Ledger {
  readonly sessions = new Map<string, SessionLog>()
  readonly deleted = new Set<string>()
  readonly runs = new Map<string, LoggedRun>()
  /** Sessions of which somebody asked that a run end. */
  readonly endings = new Set<string>()
  readonly approvals: Approvals
  /** The runs that wait, by session. */
  readonly #queues = new Map<string, string[]>()
  readonly #journal: Journal
  /** Called with each run that was just completed. */
  readonly #completed: (run: LoggedRun) => void

  constructor (journal: Journal, completed: (run: LoggedRun) => void) {
    this.#journal = journal
    this.#completed = completed
    this.approvals = new Approvals(journal)
  }

  /** Runs of sessions that exist and that have not ended. */
  get open (): LoggedRun[] {
    return [...this.runs.values()].filter((run) => run.complete === null && !this.deleted.has(run.log.id))
  }

  log (sessionId: string): SessionLog {
    let log = this.sessions.get(sessionId)
    if (log === undefined) this.sessions.set(sessionId, log = new SessionLog(sessionId, this.#journal))
    return log
  }

  queue (sessionId: string): string[] {
    let queue = this.#queues.get(sessionId)
    if (queue === undefined) this.#queues.set(sessionId, queue = [])
    return queue
  }

  /** A call that the store has just executed. Nothing else may be executed until this has resolved. */
  async executed (store: Store, method: string, args: unknown[], answer: unknown): Promise<void> {
    switch (method) {
      case 'startRun': {
        const request = args[0] as NewRun
        this.#started(request, answer as RunStart)
        return this.#look(store, request.sessionId)
      }
      case 'append': {
        const ids = new Set((args[0] as AppendGroup[]).map(({ runId }) => this.runs.get(runId)!.log.id))
        for (const sessionId of ids) await this.#look(store, sessionId)
        return
      }
      case 'claimQueuedRun':
        if (answer !== null) await this.#look(store, (answer as Promotion).sessionId)
        return
      case 'closeRun':
      case 'compactRun': {
        const run = this.runs.get(args[0] as string)
        if (run === undefined) return
        if (method === 'closeRun' && run.complete === null) run.closed = true
        await this.#look(store, run.log.id)
        if (method === 'compactRun') await this.#lookBack(store, run.log)
        return
      }
      case 'cancelQueuedRun':
        if (answer === true) this.runs.get(args[0] as string)!.cancelled = true
        return
      case 'answerPermission':
        if (answer === true) this.approvals.decided(args[2] as string, args[3] as PermissionDecision)
        return
      case 'deleteSession':
        if (answer === true) this.deleted.add(args[0] as string)
    }
  }

  #started (request: NewRun, start: RunStart): void {
    if (start.outcome !== 'accepted') return
    const { runId, sessionId, onBusy, names } = request
    const key = names.find(({ name }) => !name.startsWith('message '))
    const { run } = start
    const earlier = key && [...this.runs.values()].find((other) => other.log.id === sessionId && other.key === key.name)
    if (run.runId !== (earlier?.runId ?? runId)) this.#journal.violation('C10', `${runId} was accepted as ${run.runId}`)
    if (earlier != null) {
      if (earlier.hash !== key!.hash) this.#journal.violation('C10', `key ${earlier.key} was accepted for two requests`)
      return
    }
    const content = (JSON.parse(request.message.fields) as { content: string }).content
    this.runs.set(runId, {
      runId, log: this.log(sessionId), content, key: key?.name ?? null, hash: key?.hash ?? null, firstSeq: null, cancelled: false, closed: false, complete: null
    })
    if (onBusy === 'interrupt') this.queue(sessionId).unshift(runId)
    else this.queue(sessionId).push(runId)
  }

  async #look (store: Store, sessionId: string): Promise<void> {
    if (this.deleted.has(sessionId)) return
    const log = this.log(sessionId)
    const page = await store.read(sessionId, null, log.lastSeq, EVERYTHING)
    if (page === null) return
    for (const stored of page.events) this.#committed(log, log.append(stored))
    this.#compareState(log, page)
  }

  async #lookBack (store: Store, log: SessionLog): Promise<void> {
    if (this.deleted.has(log.id)) return
    const page = await store.read(log.id, null, 0, EVERYTHING)
    log.compacted(page!.events, page!.session.compactedThrough)
  }

  #compareState (log: SessionLog, { session }: LogPage): void {
    const ours = { lastSeq: log.lastSeq, runId: log.running, queue: this.queue(log.id), pendingPermissions: log.pendingAt(log.lastSeq) }
    const theirs = { lastSeq: session.lastSeq, runId: session.runId, queue: session.queue, pendingPermissions: session.pendingPermissions }
    if (JSON.stringify(ours) !== JSON.stringify(theirs)) this.#journal.violation('C8', `${log.id} is ${JSON.stringify(theirs)}, its log says ${JSON.stringify(ours)}`)
  }

  #committed (log: SessionLog, event: Event): void {
    const { seq, runId, kind } = event
    const run = this.runs.get(runId)
    const { sessionId, timestamp, provider, ...said } = event
    this.#journal.note(`commit ${log.id}:${seq} ${JSON.stringify(said)}`)
    if (run === undefined) return this.#journal.violation('C2', `${log.id}:${seq} is of ${runId}, which nobody asked for`)
    if (run.complete !== null) this.#journal.violation('C3', `${log.id}:${seq} ${kind} comes after the complete of ${runId}`)
    if (run.firstSeq === null) {
      run.firstSeq = seq
      const next = this.queue(log.id).shift()
      if (next !== runId) this.#journal.violation('C8', `${runId} had its turn in ${log.id} when it was that of ${next}`)
      if (event.kind === 'text' && event.content !== run.content) this.#journal.violation('C2', `${runId} begins with "${event.content as string}", not "${run.content}"`)
    }
    this.approvals.committed(event)
    if (event.kind !== 'complete') return
    run.complete = event
    if (run.cancelled && (seq !== run.firstSeq + 1 || event.reason !== 'aborted')) this.#journal.violation('C8', `${runId} was cancelled while it waited, and ran`)
    this.#completed(run)
  }
}
