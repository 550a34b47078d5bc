/* How a run ends, before it is told. */
import type { CompleteReason, RunError } from './words.ts'

/** How a run ended; the fields of its `complete` event. */
export interface RunEnding {
  /** 0, the process's own exit code, else 1. */
  exitCode: number
  /** True only for a run that was stopped on request. */
  aborted: boolean
  reason: CompleteReason
  usage?: Record<string, unknown>
  error?: RunError
}
