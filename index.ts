/* The public surface. */
import './lib/node-version.ts'
import agentRuns from './plugins/run-registry.ts'

export default agentRuns
export { agentRuns }
export type { AgentRunsOptions } from './plugins/options.ts'
export type { Authorize, GuardHook, Identify, Identity, RunsAction } from './plugins/guard.ts'
export type { RunRegistry } from './lib/registry.ts'
export type { History, OwnerOption, RunsPage } from './lib/registry-answers.ts'
export type { PermissionAnswerRequest } from './lib/permission-answers.ts'
export type { StartRunRequest, StartedRun } from './lib/run-starter.ts'
export type { Limits } from './lib/limits.ts'
export type { Cursor } from './lib/cursor.ts'
export type { CompleteEvent, Envelope, Event, EventKind, EventKinds, EventOf } from './lib/event.ts'
export type { ClosingFrame, DeletedFrame, Frame, GapFrame, SubscribedFrame } from './lib/frames.ts'
export type { Logger } from './lib/logger.ts'
export type { MessageContent, MessagePart } from './lib/message-content.ts'
export { eventQueue, type EventQueue } from './lib/event-queue.ts'
export { ProviderError } from './lib/provider.ts'
export type { Provider, ProviderEvent, RunContext } from './lib/provider.ts'
export type { ErrorCode, RunsError } from './lib/errors.ts'
export type * from './lib/store.ts'
export type {
  CompleteReason, Metadata, Owner, PermissionDecision, PermissionOption, PermissionRequest, RunEnding, RunError, RunningRun, RunState, Session, SessionState
} from './lib/types.ts'
