/* Answers to approvals: the store decides whose holds, the run's log says so, and only then is the client told. */
import { setTimeout as delay } from 'node:timers/promises'
import { atMost } from '../common/at-most.ts'
import { runsError } from '../protocol/errors.ts'
import { type EventOf, parseEvent } from '../protocol/event.ts'
import { MAX_DEPTH, toJson } from '../protocol/json.ts'
import { ownerOf } from '../protocol/session-input.ts'
import type { Owner } from '../protocol/session.ts'
import type { PermissionDecision } from '../protocol/words.ts'
import type { PermissionState, Store } from '../store/store.ts'
import type { RunPool } from './run-pool.ts'

/** How long an answer waits for its run to take it, in ms. */
const PATIENCE_MS = 5_000
/** How often the log is looked at of a run that another instance drives, in ms. */
const POLL_MS = 50

export interface PermissionAnswerRequest extends PermissionDecision {
  sessionId: string
  /** Which approval; from its `permission_request`. */
  requestId: string
  /** Whose session it is. Default: not compared. */
  owner?: Owner
}

/** An approval, as its session's log tells it. */
export interface PermissionView {
  /** `answered`: decided; its run has yet to take that, and to say so in the log. */
  status: PermissionState['status']
  request: EventOf<'permission_request'>
  /** What came of it; null before. */
  outcome: EventOf<'permission_resolved'> | EventOf<'permission_cancelled'> | null
}

/** A stored approval as it is shown. */
export function viewPermission (state: PermissionState | null): PermissionView | null {
  if (state === null) return null
  return {
    status: state.status,
    request: parseEvent(state.request) as EventOf<'permission_request'>,
    outcome: state.outcome && parseEvent(state.outcome) as PermissionView['outcome']
  }
}

/** See `RunRegistry.answerPermission`. */
export async function answerPermission (store: Store, pool: RunPool, request: PermissionAnswerRequest): Promise<EventOf<'permission_resolved'>> {
  const { sessionId, requestId, allow, optionId, updatedInput, message, ...rest } = request
  const owner = ownerOf(rest)
  const look = async (): Promise<PermissionState> => await store.getPermission(sessionId, owner, requestId) ?? await notFound(store, sessionId, owner, requestId)
  const { runId, options } = parseEvent((await look()).request) as EventOf<'permission_request'>
  const decision = checkedDecision({ allow, optionId, updatedInput, message }, options)
  if (!await store.answerPermission(sessionId, owner, requestId, decision)) throw runsError('PERMISSION_ALREADY_RESOLVED', [requestId])

  const patience = performance.now() + PATIENCE_MS
  await atMost(PATIENCE_MS, pool.answer(runId, requestId, decision))
  for (;;) {
    const { status, outcome } = await look()
    if (status === 'resolved') return parseEvent(outcome!) as EventOf<'permission_resolved'>
    // The end of the run came first.
    if (status === 'cancelled') throw runsError('PERMISSION_ALREADY_RESOLVED', [requestId])
    if (performance.now() >= patience) throw runsError('STORE_UNAVAILABLE')
    await delay(POLL_MS)
  }
}

type Given = { [K in keyof Required<PermissionDecision>]: PermissionDecision[K] | undefined }

async function notFound (store: Store, sessionId: string, owner: Owner, requestId: string): Promise<never> {
  throw await store.getSession(sessionId, owner) === null ? runsError('SESSION_NOT_FOUND', [sessionId]) : runsError('PERMISSION_NOT_FOUND', [requestId])
}

function checkedDecision ({ allow, optionId, updatedInput, message }: Given, options: EventOf<'permission_request'>['options'] = []): PermissionDecision {
  const invalid = (problem: string): Error => runsError('INVALID_REQUEST', [problem])
  if (typeof allow !== 'boolean') throw invalid('An answer must say whether it allows: "allow" is true or false.')
  if (message !== undefined && typeof message !== 'string') throw invalid('"message" must be text.')
  if (optionId !== undefined && !options.some((option) => option.optionId === optionId)) throw invalid(`The approval has no option "${optionId}".`)
  if (updatedInput !== undefined && !allow) throw invalid('Only what is allowed can have an "updatedInput".')
  const decision = { allow, ...(optionId !== undefined && { optionId }), ...(updatedInput !== undefined && { updatedInput }), ...(message !== undefined && { message }) }
  try {
    return JSON.parse(toJson(decision)) as PermissionDecision
  } catch {
    throw invalid(`"updatedInput" must be JSON, nested at most ${MAX_DEPTH} levels deep.`)
  }
}
