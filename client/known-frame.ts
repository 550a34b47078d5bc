/* Checks the types of what a server sent; the code behind relies on them. */
import type { Event } from '../lib/protocol/event.ts'
import type { Frame } from '../lib/protocol/frames.ts'

/** Whether it is an event, or a frame; also one of a kind that only later versions know. */
export function isFrame (value: unknown): value is Event | Frame {
  if (!isObject(value) || typeof value['kind'] !== 'string') return false
  if ('seq' in value) return isEvent(value)
  const { kind, sessionId, reason, from, to, cursor, lastSeq, compactedThrough, isProcessing, runId, pendingPermissions } = value
  switch (kind) {
    case 'chat_subscribed':
      return typeof sessionId === 'string' && [cursor, lastSeq, compactedThrough].every(isCount) && typeof isProcessing === 'boolean' &&
        (runId === null || typeof runId === 'string') && Array.isArray(pendingPermissions) && pendingPermissions.every(isPermissionRequest)
    case 'gap':
      return typeof sessionId === 'string' && typeof reason === 'string' && isCount(from) && isCount(to)
    case 'session_deleted':
      return typeof sessionId === 'string'
    default:
      return true
  }
}

/** Whether it is an event, of whichever kind; what its kind adds is not looked at. */
export function isEvent (value: unknown): value is Event {
  return isObject(value) && ['kind', 'sessionId', 'runId'].every((name) => typeof value[name] === 'string') && isCount(value['seq']) && value['seq'] > 0
}

export function isObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isPermissionRequest (value: unknown): boolean {
  return isEvent(value) && value.kind === 'permission_request' && typeof value.requestId === 'string'
}

function isCount (value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
