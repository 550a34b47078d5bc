/* What is done for each message that a client sends over its WebSocket. */
import type { RunRegistry } from '../../lib/registry.ts'
import type { SubscriptionRequest } from '../../lib/streams/subscriptions.ts'
import type { ClientMessage } from './client-messages.ts'
import type { Wire } from './subscription.ts'
import type { SocketSubscriptions } from './subscriptions.ts'

/** Who a socket belongs to, and what they may do. */
export interface Requester {
  owner: string
  /** Rejects with FORBIDDEN or SESSION_NOT_FOUND; answers what a session that does not exist yet has to pass. */
  authorize: (action: 'read' | 'send' | 'abort' | 'approve', sessionId: string) => Promise<NonNullable<SubscriptionRequest['admit']> | null>
}

/** Does what a message asks for, and tells the client. Rejects with what the registry rejects with. */
export async function serveMessage (message: ClientMessage, runs: RunRegistry, { owner, authorize }: Requester, wire: Wire, subscriptions: SocketSubscriptions): Promise<void> {
  switch (message.type) {
    case 'chat.send': {
      const { type, requestId, ...request } = message
      await authorize('send', request.sessionId)
      const started = await runs.startRun({ ...request, owner })
      wire.tell({ kind: 'chat_accepted', ...(requestId !== undefined && { requestId }), ...started })
      subscriptions.ensure(request.sessionId, started.cursor)
      return
    }
    case 'chat.abort': {
      const { type, requestId, ...named } = message
      const { sessionId } = named
      await authorize('abort', sessionId)
      const stopped = await runs.stop({ ...named, owner })
      return wire.tell({
        kind: 'chat_aborted',
        ...(requestId !== undefined && { requestId }),
        sessionId,
        runId: 'runId' in stopped ? stopped.runId : null,
        complete: 'kind' in stopped ? stopped : null,
        ...('expiresAt' in stopped && { expiresAt: stopped.expiresAt })
      })
    }
    case 'chat.permission-response': {
      const { type, ...answer } = message
      await authorize('approve', answer.sessionId)
      await runs.answerPermission({ ...answer, owner })
      return wire.tell({ kind: 'permission_accepted', sessionId: answer.sessionId, requestId: answer.requestId })
    }
    case 'chat.subscribe':
      for (const { sessionId, lastSeq = 0 } of message.sessions) subscriptions.follow(sessionId, lastSeq)
      return
    case 'chat.unsubscribe':
      for (const { sessionId } of message.sessions) {
        subscriptions.unfollow(sessionId)
        wire.tell({ kind: 'chat_unsubscribed', sessionId })
      }
  }
}
