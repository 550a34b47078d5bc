/* The dialect of the AI SDK: its UI message stream, for `useChat` and whatever else speaks it. */
import type { Dialect } from '../dialect.ts'
import { AiSdkEncoder } from './encoder.ts'
import { uiMessages } from './messages.ts'
import { aiSdkRequestSchema, readAiSdkRequest } from './request.ts'
import type { ApprovalStyle } from './run-chunks.ts'

export interface AiSdkDialectOptions {
  /**
   * How approvals are told. 'parts' (default, for AI SDK 6 and 7): as `tool-approval-request`, which clients answer by
   * `addToolApprovalResponse`; the stream pauses for that. 'data' (for AI SDK 5, which does not know them): as parts of the type
   * `data-permission-request`, and the stream goes on; the app answers by `POST /sessions/:id/permissions/:requestId`.
   */
  approvals?: ApprovalStyle
}

/** The dialect of the AI SDK 5, 6 and 7. Runs are messages whose id is the `runId`; all that happened is in their parts. */
export function aiSdkDialect ({ approvals = 'parts' }: AiSdkDialectOptions = {}): Dialect<typeof aiSdkRequestSchema> {
  return {
    headers: { 'x-vercel-ai-ui-message-stream': 'v1' },
    body: aiSdkRequestSchema,
    read: readAiSdkRequest,
    encoder: (stream) => new AiSdkEncoder(approvals, stream),
    messages: (events) => uiMessages(approvals, events)
  }
}
