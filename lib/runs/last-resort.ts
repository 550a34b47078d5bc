/*
 * Runs that must end and have no log to do so: it does not take their terminal, or their message was refused while only
 * the store's answer was lost. What the store does not end now is left to the next looks.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../common/logger.ts'
import type { CompleteEvent } from '../protocol/event.ts'
import { INTERRUPTED } from '../protocol/run-ending.ts'
import type { RunEnding } from '../protocol/run-state.ts'
import type { Store } from '../store/store.ts'
import { terminalOf } from './terminal.ts'

/** Pauses between tries to end a run that the store does not let end, in ms. */
const RETRY_DELAYS = [250, 1_000, 2_000]
/** A call that was given up may still take effect for so long, in ms. */
const LATE_MS = 600_000

export interface LastResortOptions {
  store: Store
  /** Ends a run in the store. */
  close: (runId: string, ending: RunEnding) => Promise<CompleteEvent | null>
  log: Logger
  /** Once aborted, nothing is tried again. */
  stopped: AbortSignal
}

export class LastResort {
  readonly #options: LastResortOptions
  /** Abandoned runs: the store refused their end. How each was to end. */
  readonly #abandoned = new Map<string, RunEnding>()
  /** Runs whose start was undone before the store knew them, and since when. */
  readonly #undone = new Map<string, number>()

  constructor (options: LastResortOptions) {
    this.#options = options
  }

  /** How an abandoned or undone run is to end; undefined for every other run. */
  endingOf (runId: string): RunEnding | undefined {
    return this.#abandoned.get(runId) ?? (this.#undone.has(runId) ? INTERRUPTED : undefined)
  }

  /** A run that the store may yet start is to end: its sender was told that it was refused. */
  undone (runId: string): void {
    const now = performance.now()
    for (const [id, since] of this.#undone) if (now - since > LATE_MS) this.#undone.delete(id)
    this.#undone.set(runId, now)
  }

  /** The run has its end. */
  forget (runId: string): void {
    this.#abandoned.delete(runId)
    this.#undone.delete(runId)
  }

  /** Of the abandoned runs only `running` are left: the others were ended elsewhere, or deleted with their session. */
  keepOnly (running: ReadonlySet<string>): void {
    for (const runId of this.#abandoned.keys()) if (!running.has(runId)) this.#abandoned.delete(runId)
  }

  /** The terminal of a run that was ended elsewhere; ends it if it was not. */
  async fenced (runId: string, ending: RunEnding): Promise<CompleteEvent | null> {
    const terminal = await terminalOf(this.#options.store, runId).catch(() => undefined)
    return terminal === undefined ? this.refused(runId, ending) : terminal
  }

  /** Ends a run whose log is lost; null if the store refuses that too, and it has to be done later, or elsewhere. */
  async refused (runId: string, ending: RunEnding): Promise<CompleteEvent | null> {
    const { close, log, stopped } = this.#options
    // What the provider had to say of its end may be what the store cannot take.
    const { exitCode, aborted, reason } = ending
    const bare = { exitCode, aborted, reason }
    for (const [tries, pause] of [0, ...RETRY_DELAYS].entries()) {
      try {
        await delay(pause, undefined, { signal: stopped })
        return await close(runId, tries < 2 ? ending : bare)
      } catch (error) {
        if (stopped.aborted) break
        log.error({ err: error, runId }, 'the store refused the end of a run')
      }
    }
    this.#abandoned.set(runId, bare)
    return null
  }
}
