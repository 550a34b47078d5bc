/* The client library for `useChat` of the AI SDK. */
export { agentRunsChat } from './chat.ts'
export type { AgentRunsChat, AgentRunsChatOptions } from './chat.ts'
export type { OutgoingMessage } from './content.ts'
export type { ApprovalStyle, RunMetadata, UiMessage, UiPart } from './ui-messages.ts'
