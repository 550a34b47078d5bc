/* An app whose Claude Code is in the hands of the test. */
import type { Test } from 'tap'
import type { Event } from '../../index.ts'
import { claude, type ClaudeOptions } from '../../providers/claude/index.ts'
import type { PermissionResult, SdkMessage, SpawnedProcess, SpawnRequest, ToolAsking } from '../../providers/claude/sdk.ts'
import { buildApp } from './build-app.ts'

export const INIT: SdkMessage = { type: 'system', subtype: 'init', session_id: 'native-0123456789' }
export const SUCCESS: SdkMessage = { type: 'result', subtype: 'success', is_error: false, usage: { input_tokens: 3, output_tokens: 5 }, total_cost_usd: 0.5, num_turns: 1 }

export interface ClaudeSdkOptions {
  canUseTool: (name: string, input: Record<string, unknown>, asking: ToolAsking) => Promise<PermissionResult>
  spawnClaudeCodeProcess: (request: SpawnRequest) => SpawnedProcess
  resume?: string
  [option: string]: unknown
}

/** An app with an SDK in the hands of the test. */
export async function fakeClaude (t: Test, query: (options: ClaudeSdkOptions) => AsyncIterable<SdkMessage>, more: ClaudeOptions = {}) {
  const asked: ClaudeSdkOptions[] = []
  const sdk = async () => ({
    query ({ options }: { options: ClaudeSdkOptions }) {
      asked.push(options)
      return Object.assign(query(options), { interrupt: async () => {} })
    }
  })
  const app = await buildApp(t, { providers: { claude: claude({ sdk, ...more }) }, store: ':memory:' })
  const run = async ({ onEvent = async (_: Event): Promise<void> => {}, options = {} } = {}): Promise<Event[]> => {
    const { cursor } = await app.agentRuns.startRun({ sessionId: 's', content: 'go', options })
    const events: Event[] = []
    for await (const event of app.agentRuns.subscribe('s', { after: cursor })) {
      if (!('seq' in event)) continue
      events.push(event)
      await onEvent(event)
      if (event.kind === 'complete') break
    }
    return events
  }
  return { app, asked, run }
}
