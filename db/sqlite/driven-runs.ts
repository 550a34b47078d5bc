/* What one instance appends to the runs that it drives; it remembers where they are. */
import type { AppendAnswer, AppendGroup } from '../../lib/store/store.ts'
import { appendGroup } from './log.ts'
import type { Queries, RunKeys } from './queries.ts'
import { ended, endedAgain } from './runs.ts'

export class DrivenRuns {
  readonly #instanceId: string
  readonly #keys = new Map<string, RunKeys>()
  /** What was appended by a transaction whose end is not known yet. */
  #unsettled: AppendGroup[] = []

  constructor (instanceId: string) {
    this.#instanceId = instanceId
  }

  /** Appends groups, inside a transaction of the caller; see `Store.append`. */
  append (queries: Queries, groups: AppendGroup[]): AppendAnswer[] {
    // What was appended by a transaction that was rolled back did not happen.
    for (const { runId } of this.#unsettled) this.forget(runId)
    this.#unsettled = groups
    return groups.map((group) => this.#append(queries, group))
  }

  #append (queries: Queries, group: AppendGroup): AppendAnswer {
    const keys = this.#keysOf(queries, group.runId)
    if (keys === null) return { outcome: 'stale', promotion: null }
    const answer = appendGroup(queries, keys, this.#instanceId, group)
    const outcome = answer === 'repeated' ? 'ok' : answer
    if (outcome !== 'ok' || group.ending === null) return { outcome, promotion: null }
    return { outcome, promotion: (answer === 'ok' ? ended : endedAgain)(queries, this.#instanceId, keys, group) }
  }

  /** The transaction has been committed. */
  settled (groups: AppendGroup[], answers: AppendAnswer[]): void {
    this.#unsettled = []
    for (const [index, { runId, ending }] of groups.entries()) {
      if (ending !== null || answers[index]!.outcome === 'stale') this.forget(runId)
    }
  }

  /** The run is over, or driven elsewhere. */
  forget (runId: string): void {
    this.#keys.delete(runId)
  }

  #keysOf (queries: Queries, runId: string): RunKeys | null {
    const known = this.#keys.get(runId)
    if (known !== undefined) return known
    const run = queries.run.get({ id: runId })
    if (run === undefined) return null
    const keys = { runKey: run.key, sessionKey: run.sessionKey, sessionId: run.sessionId, lastSeq: run.lastSeq }
    this.#keys.set(runId, keys)
    return keys
  }
}
