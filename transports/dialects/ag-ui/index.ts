/* AG-UI, the protocol of CopilotKit and others: RunAgentInput in, its events out. */
import type { Dialect } from '../dialect.ts'
import { AgUiEncoder } from './encoder.ts'
import { messagesOf } from './messages.ts'
import { readInput, RunAgentInput } from './request.ts'

/**
 * The dialect of AG-UI 1.0. An approval ends the stream with the outcome `interrupt`, and `resume` goes on from there. The
 * client's `runId` is told back to it, and means nothing else.
 */
export function agUiDialect (): Dialect<typeof RunAgentInput> {
  return {
    headers: {},
    body: RunAgentInput,
    read: readInput,
    encoder: (stream) => new AgUiEncoder(stream),
    messages: messagesOf
  }
}
