/* An agent that speaks the Agent Client Protocol, and does what the message says. */
import { spawn } from 'node:child_process'
import { Readable, Writable } from 'node:stream'
import * as acp from '@agentclientprotocol/sdk'

const { agent, client } = acp.methods
/** How it comes back to a session: 'resume', 'load' or not at all. */
const RETURNS = process.env['ACP_RETURNS'] ?? 'resume'
const turns = new Map<string, number>()
const cancels = new Map<string, () => void>()

// What agents leave behind: a process of their own, in their group.
if (process.env['ACP_CHILD'] !== undefined) spawn('sleep', ['1000'], { stdio: 'ignore' })
if (process.env['ACP_DEAF'] !== undefined) process.on('SIGTERM', () => {})

const app = acp.agent({ name: 'test-agent' })

app.onRequest(agent.initialize, () => {
  if (process.env['ACP_FAILS'] === 'start') throw new acp.RequestError(-32_603, 'no start today')
  return {
    protocolVersion: acp.PROTOCOL_VERSION,
    agentCapabilities: { loadSession: RETURNS === 'load', sessionCapabilities: RETURNS === 'resume' ? { resume: {} } : {}, promptCapabilities: { image: true } }
  }
})

app.onRequest(agent.session.new, () => {
  if (process.env['ACP_FAILS'] === 'session') throw acp.RequestError.authRequired()
  const sessionId = `acp-native-${process.pid}-${turns.size}`
  turns.set(sessionId, 0)
  return { sessionId }
})

app.onRequest(agent.session.resume, ({ params: { sessionId } }) => {
  if (process.env['ACP_FORGETS'] !== undefined) throw acp.RequestError.resourceNotFound(sessionId)
  turns.set(sessionId, 100)
  return {}
})

app.onRequest(agent.session.load, async ({ params: { sessionId }, client: peer }) => {
  turns.set(sessionId, 200)
  const update = { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text: 'REPLAYED' } } as const
  await peer.notify(client.session.update, { sessionId, update })
  return {}
})

app.onNotification(agent.session.cancel, ({ params: { sessionId } }) => cancels.get(sessionId)?.())

app.onRequest(agent.session.prompt, async ({ params: { sessionId, prompt }, client: peer }) => {
  const turn = turns.get(sessionId)! + 1
  turns.set(sessionId, turn)
  const update = (update: acp.SessionUpdate): Promise<void> => peer.notify(client.session.update, { sessionId, update })
  const say = (text: string): Promise<void> => update({ sessionUpdate: 'agent_message_chunk', content: { type: 'text', text } })
  const text = prompt[0]!.type === 'text' ? prompt[0]!.text : prompt[0]!.type
  await say(`turn ${turn} of ${sessionId} in ${process.pid}. `)
  switch (text.split(' ')[0]) {
    case 'wait':
      await new Promise<void>((resolve) => { cancels.set(sessionId, resolve) })
      return { stopReason: 'cancelled' }
    case 'ignore':
      await new Promise(() => {})
      break
    case 'crash':
      process.stderr.write('out of cheese\n')
      process.exit(3)
      break
    case 'refuse':
      return { stopReason: 'refusal' }
    case 'fail':
      throw new acp.RequestError(-32_603, `the model of ${sessionId} is gone`)
    case 'flood':
      for (let i = 1; i <= 20_000; i++) await say(`${i} `)
      break
    case 'everything':
      await everything(update)
      break
    case 'tool':
      await update({ sessionUpdate: 'tool_call', toolCallId: 't', title: 'Run a command', name: 'Bash', kind: 'execute', status: 'pending' })
      await update({ sessionUpdate: 'tool_call_update', toolCallId: 't', rawInput: { command: `ls ${sessionId}` } })
      await say(`outcome ${JSON.stringify((await peer.request(client.session.requestPermission, {
        sessionId,
        toolCall: { toolCallId: 't' },
        options: [{ optionId: 'always', name: 'Always', kind: 'allow_always' }, { optionId: 'yes', name: 'Yes', kind: 'allow_once' }, { optionId: 'no', name: 'No', kind: 'reject_once' }]
      })).outcome)}`)
      break
    default:
      await say(`You said: ${text}`)
  }
  return { stopReason: 'end_turn' }
})

async function everything (update: (update: acp.SessionUpdate) => Promise<void>): Promise<void> {
  const text = (text: string) => ({ type: 'text', text }) as const
  await update({ sessionUpdate: 'agent_thought_chunk', content: text('Hm.') })
  await update({ sessionUpdate: 'plan', entries: [{ content: 'Look', priority: 'high', status: 'pending' }] })
  await update({ sessionUpdate: 'tool_call', toolCallId: 'r', title: 'Read a.txt', kind: 'read', status: 'in_progress', rawInput: { path: 'a.txt' } })
  await update({ sessionUpdate: 'tool_call_update', toolCallId: 'r', status: 'in_progress', content: [{ type: 'content', content: text('half') }] })
  await update({ sessionUpdate: 'tool_call_update', toolCallId: 'r', status: 'completed', content: [{ type: 'content', content: text('all') }] })
  await update({ sessionUpdate: 'tool_call', toolCallId: 'w', title: 'Write', status: 'failed', rawOutput: 'no' })
  await update({ sessionUpdate: 'usage_update', used: 10, size: 100 })
  await update({ sessionUpdate: 'current_mode_update', currentModeId: 'plan' })
  await update({ sessionUpdate: 'agent_message_chunk', messageId: 'm2', content: text('Done.') })
}

app.connect(acp.ndJsonStream(Writable.toWeb(process.stdout), Readable.toWeb(process.stdin) as ReadableStream<Uint8Array>))
