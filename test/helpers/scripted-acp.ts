/* An agent that answers the Agent Client Protocol as a test says, to the byte; and a conversation with it. */
import type { Test } from 'tap'
import type { Event, Provider } from '../../index.ts'
import { acp, type AcpOptions } from '../../providers/acp/index.ts'
import { buildApp } from './build-app.ts'

/** The agent's native session. */
export const NATIVE = 'native-0123'

/** What it does, in JavaScript, by method. `params`, `id`, `answer(result)`, `fail(code, message)`, `write(message)`, `update(update)` and `turn` are there. */
export type AcpScript = Record<string, string>

export function acpScript (on: AcpScript, options: Partial<AcpOptions> = {}): Provider {
  const script: AcpScript = {
    initialize: 'answer({ protocolVersion: 1, agentCapabilities: {} })',
    'session/new': `answer({ sessionId: '${NATIVE}' })`,
    'session/prompt': 'answer({ stopReason: "end_turn" })',
    ...on
  }
  const cases = Object.entries(script).map(([method, does]) => `if (method === '${method}') { ${does} }`).join('\n')
  return acp({
    command: process.execPath,
    args: ['-e', `
      let turn = 0
      const replies = new Map()
      const write = (value) => process.stdout.write(typeof value === 'string' ? value + '\\n' : JSON.stringify({ jsonrpc: '2.0', ...value }) + '\\n')
      const update = (update) => write({ method: 'session/update', params: { sessionId: '${NATIVE}', update } })
      const say = (text, more) => update({ sessionUpdate: 'agent_message_chunk', content: { type: 'text', text }, ...more })
      const ask = (method, params) => new Promise((resolve) => { const id = 'q' + replies.size; replies.set(id, resolve); write({ id, method, params }) })
      require('node:readline').createInterface({ input: process.stdin }).on('line', async (line) => {
        const { id, method, params, result } = JSON.parse(line)
        if (method === undefined) return replies.get(id)?.(result)
        if (method === 'session/prompt') turn++
        const answer = (result) => write({ id, result })
        const fail = (code, message) => write({ id, error: { code, message } })
        ${cases}
      })
    `],
    ...options
  })
}

/** Runs messages of one session; answers the events of each, without the message itself. */
export async function conversation (t: Test, provider: Provider) {
  const app = await buildApp(t, { providers: { agent: provider }, store: ':memory:' })
  return {
    app,
    async say (content = 'hello', onEvent = async (_: Event): Promise<void> => {}, options: Record<string, unknown> = {}): Promise<Event[]> {
      const { cursor } = await app.agentRuns.startRun({ sessionId: 's', content, options })
      const events: Event[] = []
      for await (const event of app.agentRuns.subscribe('s', { after: cursor + 1 })) {
        if (!('seq' in event)) continue
        events.push(event)
        await onEvent(event)
        if (event.kind === 'complete') break
      }
      return events
    }
  }
}

/** What the agent said, as the history has it. */
export function textOf (events: Event[]): string {
  return events.flatMap((event) => event.kind === 'text' && event.role === 'assistant' ? [String(event.content)] : []).join('|')
}
