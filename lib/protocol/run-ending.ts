/* How runs end, and what their `complete` says of it. */
import { runError } from './errors.ts'
import type { RunEnding } from './run-state.ts'
import type { EventKinds, RunError } from './words.ts'

/** The provider returned. */
export const FINISHED: RunEnding = { exitCode: 0, aborted: false, reason: 'finished' }
/** Stopped on request. */
export const ABORTED: RunEnding = { exitCode: 1, aborted: true, reason: 'aborted' }
/** It took longer than it may. */
export const TIMED_OUT: RunEnding = { exitCode: 1, aborted: false, reason: 'timeout', error: runError('RUN_TIMEOUT') }
/** Its server stopped or died. */
export const INTERRUPTED: RunEnding = { exitCode: 1, aborted: false, reason: 'interrupted', error: runError('RUN_INTERRUPTED') }

/** Something went wrong, told in words that clients may see. */
export function failed (error: RunError, exitCode = 1): RunEnding {
  return { exitCode, aborted: false, reason: 'failed', error }
}

/** The fields of a run's `complete`. */
export function completeFields (sessionId: string, { exitCode, aborted, reason, usage, error }: RunEnding): EventKinds['complete'] {
  return {
    exitCode,
    success: exitCode === 0 && !aborted,
    aborted,
    reason,
    actualSessionId: sessionId,
    ...(usage && { usage }),
    ...(error && { error })
  }
}
