/* Runs, as they are kept and shown. */

/** Why a run ended. */
export type CompleteReason = 'finished' | 'failed' | 'aborted' | 'interrupted' | 'timeout'

/** What went wrong, in words that may be shown to the client. */
export interface RunError {
  code: string
  message: string
}

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

/** One execution of a provider for one message. */
export interface RunState {
  runId: string
  sessionId: string
  provider: string
  /** A queued run waits for the session's other runs, or for one of the process's slots. */
  status: 'queued' | 'running' | 'completed'
  /** The seq before the run's first event; while it waits, one from which nothing of it will be missed. */
  cursor: number
  /** The seq of its `complete`; null before. */
  completeSeq: number | null
  /** When its message was accepted. */
  createdAt: string
  /** Null while it waits. */
  startedAt: string | null
  completedAt: string | null
  exitCode: number | null
  success: boolean | null
  /** Already true of a run that waits but will not run: its `complete` comes in its turn. */
  aborted: boolean | null
  reason: CompleteReason | null
}

/** A running run, as listed. */
export interface RunningRun {
  runId: string
  sessionId: string
  provider: string
  startedAt: string
  /** The seq of the session's newest event. */
  lastSeq: number
}

/** A message that was accepted. */
export interface StartedRun {
  sessionId: string
  runId: string
  /** The seq before the run's first event, or a lower one from which nothing of it is missed: follow from here. */
  cursor: number
  /** What has become of it; `completed` only for a repeat. */
  status: RunState['status']
}
