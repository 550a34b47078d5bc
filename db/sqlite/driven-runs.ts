/* What one instance appends to the runs that it drives; it remembers where they are. */
import type { AppendAnswer, AppendGroup } from '../../lib/store/store.ts'
import { envelopeOf } from './event-rows.ts'
import { appendGroup, type DrivenRun, sealTail, takeOver } from './log.ts'
import type { Queries, RunRow } from './queries.ts'
import { ended, endedAgain } from './runs.ts'
import { TailGarbage } from './tail-garbage.ts'

/** What a transaction has done, to be told once it is committed. */
export interface Appended {
  answers: AppendAnswer[]
  /** How many rows of the tail's garbage were deleted. */
  deleted: number
}

export class DrivenRuns {
  readonly #instanceId: string
  readonly #runs = new Map<string, DrivenRun>()
  readonly #garbage = new TailGarbage()
  /** What was appended by a transaction whose end is not known yet. */
  #unsettled: AppendGroup[] = []
  /** Counts what was written by others, or by other means than `append`. */
  #epoch = 0
  #version = ''

  constructor (instanceId: string) {
    this.#instanceId = instanceId
  }

  /** Appends groups, inside a transaction of the caller; see `Store.append`. */
  append (queries: Queries, groups: AppendGroup[]): Appended {
    // The last transaction was rolled back: what it has changed here did not happen.
    for (const { runId } of this.#unsettled) this.forget(runId)
    this.#unsettled = groups
    if (queries.tail.version !== this.#version) {
      this.#version = queries.tail.version
      this.#epoch++
    }
    return { answers: groups.map((group) => this.#append(queries, group)), deleted: this.#garbage.deleteSlice(queries.deleteTailRange) }
  }

  #append (queries: Queries, group: AppendGroup): AppendAnswer {
    const run = this.#runOf(queries, group.runId)
    if (run === null) return { outcome: 'stale', promotion: null }
    const answer = appendGroup(queries, run, this.#instanceId, this.#epoch, group)
    const outcome = answer === 'repeated' ? 'ok' : answer
    if (outcome !== 'ok' || group.ending === null) return { outcome, promotion: null }
    // A group behind the end must meet the fence.
    run.drivenAt = -1
    return { outcome, promotion: (answer === 'ok' ? ended : endedAgain)(queries, this.#instanceId, run, group) }
  }

  /** The transaction has been committed. */
  appended ({ tail }: Queries, groups: AppendGroup[], { answers, deleted }: Appended): void {
    this.#unsettled = []
    this.#garbage.deleted(deleted)
    for (const [index, { runId, ending }] of groups.entries()) {
      const { outcome } = answers[index]!
      const run = this.#runs.get(runId)
      if (run?.hasChanged === true) {
        tail.committed(run.sessionKey, run.tail.rows)
        this.#garbage.add(run.sealed)
        run.sealed = []
        run.hasChanged = false
      }
      if (ending !== null || outcome === 'stale') this.forget(runId)
    }
  }

  /** This instance writes by other means than `append`: any run may be over. */
  distrust (): void {
    this.#epoch++
  }

  /** Puts the tail of a running run into the log; another instance may drive it. */
  seal (queries: Queries, run: RunRow): void {
    this.forget(run.id)
    sealTail(queries, { runKey: run.key, sessionKey: run.sessionKey })
  }

  /** Says that this instance is alive, and forgets runs that were ended from outside. */
  renewLease (queries: Queries): void {
    queries.renewLease.run({ instanceId: this.#instanceId })
    const running = new Set(queries.ownRuns.all({ instanceId: this.#instanceId }).map(({ runId }) => runId))
    for (const runId of this.#runs.keys()) if (!running.has(runId)) this.forget(runId)
  }

  /** The run is over, or driven elsewhere, or its tail was changed by other means. */
  forget (runId: string): void {
    this.#runs.delete(runId)
  }

  /** Deletes a slice of the tail's garbage; answers how many rows. `swept` is to be called once that is committed. */
  sweep (queries: Queries): number {
    return this.#garbage.deleteSlice(queries.deleteTailRange, true)
  }

  swept (count: number): void {
    this.#garbage.deleted(count)
  }

  /** How many such rows there are. */
  get garbage (): number {
    return this.#garbage.size
  }

  #runOf (queries: Queries, runId: string): DrivenRun | null {
    const known = this.#runs.get(runId)
    if (known !== undefined) return known
    const row = queries.run.get({ id: runId })
    if (row === undefined) return null
    const { key: runKey, sessionKey, sessionId, provider, lastSeq } = row
    const run = { runKey, sessionKey, sessionId, lastSeq, envelope: envelopeOf({ sessionId, runId, provider }), drivenAt: -1, tail: takeOver(queries, row), sealed: [], hasChanged: false }
    this.#runs.set(runId, run)
    return run
  }
}
