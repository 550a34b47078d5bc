/* Agents that write and write, without a line break. What counts is how much of it is held at once. */
import * as acpSdk from '@agentclientprotocol/sdk'
import { once } from 'node:events'
import { test, type Test } from 'tap'
import type { Event, Provider } from '../../index.ts'
import { acp } from '../../providers/acp/index.ts'
import { claude } from '../../providers/claude/index.ts'
import type { SpawnedProcess, SpawnRequest } from '../../providers/claude/sdk.ts'
import { command } from '../../providers/command/command.ts'
import { MAX_LINE_BYTES } from '../../providers/process/protocol-lines.ts'
import { ProcessGroup } from '../../providers/process/process-group.ts'
import { buildApp } from '../helpers/build-app.ts'
import { gone } from '../helpers/processes.ts'

const MIB = 1024 * 1024
/** The most that comes out of a pipe at once. */
const CHUNK = MIB

/** JavaScript that writes 64 MiB to a stream, as fast as that takes them, and then does something else. */
const flood = (stream: 'stdout' | 'stderr', start = '', then = ''): string => `
  const piece = Buffer.alloc(${MIB}, 'x')
  process.${stream}.write(${JSON.stringify(start)})
  let left = 64
  ;(function more () { if (left-- > 0) process.${stream}.write(piece, more); else { ${then} } })()
`

async function run (t: Test, provider: Provider): Promise<Event[]> {
  const app = await buildApp(t, { providers: { agent: provider }, store: ':memory:' })
  const { cursor } = await app.agentRuns.startRun({ sessionId: 's', content: 'hello' })
  const events: Event[] = []
  for await (const event of app.agentRuns.subscribe('s', { after: cursor + 1 })) {
    if ('seq' in event) events.push(event)
    if (event.kind === 'complete') break
  }
  await app.close()
  return events
}

/** An agent of the Agent Client Protocol that starts as it should, and then does this. */
const acpAgent = (onPrompt: string): { command: string, args: string[] } => ({
  command: process.execPath,
  args: ['-e', `
    require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
      const { id, method } = JSON.parse(line)
      const answer = (result) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result }) + '\\n')
      if (method === 'initialize') answer({ protocolVersion: 1, agentCapabilities: {} })
      if (method === 'session/new') answer({ sessionId: 'native-' + process.pid })
      if (method === 'session/prompt') { ${onPrompt} }
    })
  `]
})

/** The SDK, and how much of a line it was given at most. */
function countingSdk () {
  const counted = { held: 0, most: 0 }
  const ndJsonStream: typeof acpSdk.ndJsonStream = (output, input, options) => acpSdk.ndJsonStream(output, input.pipeThrough(new TransformStream({
    transform (chunk, controller) {
      const last = chunk.lastIndexOf(0x0a)
      counted.held = last === -1 ? counted.held + chunk.length : chunk.length - last - 1
      counted.most = Math.max(counted.most, counted.held)
      controller.enqueue(chunk)
    }
  })), options)
  return { counted, sdk: async () => ({ ...acpSdk, ndJsonStream }) }
}

test('acp: a line without an end fails the run, and no more than its limit is held', async (t) => {
  const { counted, sdk } = countingSdk()
  const events = await run(t, acp({ ...acpAgent(flood('stdout', '{"jsonrpc":"2.0","method":"')), sdk }))
  t.match(events, [{ kind: 'complete', reason: 'failed', error: { code: 'AGENT_LINE_TOO_LONG' } }])
  t.ok(counted.most > MAX_LINE_BYTES - CHUNK && counted.most <= MAX_LINE_BYTES, `${counted.most} bytes of it were read`)
})

test('acp: an agent that writes it between two messages is ended, and the next message starts another', { timeout: 60_000 }, async (t) => {
  const app = await buildApp(t, {
    providers: {
      acp: acp(acpAgent(`
        const content = { type: 'text', text: String(process.pid) }
        const update = { sessionId: 'native-' + process.pid, update: { sessionUpdate: 'agent_message_chunk', content } }
        process.stdout.write(JSON.stringify({ jsonrpc: '2.0', method: 'session/update', params: update }) + '\\n')
        answer({ stopReason: 'end_turn' })
        ${flood('stdout')}
      `))
    },
    store: ':memory:'
  })
  const say = async (): Promise<number> => {
    const { cursor } = await app.agentRuns.startRun({ sessionId: 's', content: 'hello' })
    let pid = 0
    for await (const event of app.agentRuns.subscribe('s', { after: cursor + 1 })) {
      if (event.kind === 'text') pid = Number(event.content)
      if (event.kind === 'complete') break
    }
    return pid
  }
  const first = await say()
  await gone(first)
  const second = await say()
  t.ok(second > 0 && second !== first, `${first}, then ${second}`)
})

test('claude: a line without an end fails the run, and no more than its limit is handed to the SDK', async (t) => {
  let handed = 0
  const sdk = async () => ({
    async * query ({ options: { spawnClaudeCodeProcess } }: { options: { spawnClaudeCodeProcess: (request: SpawnRequest) => SpawnedProcess } }) {
      const { stdout } = spawnClaudeCodeProcess({ command: process.execPath, args: ['-e', flood('stdout', '{"type":"')], env: process.env })
      for await (const chunk of stdout) handed += (chunk as Buffer).length
      yield * []
      throw new Error('Claude Code process exited')
    }
  })
  t.match(await run(t, claude({ sdk })), [{ kind: 'complete', reason: 'failed', error: { code: 'AGENT_LINE_TOO_LONG' } }])
  t.ok(handed > MAX_LINE_BYTES - CHUNK && handed <= MAX_LINE_BYTES, `${handed} bytes of it were read`)
})

test('of standard error without a line break its end is kept', async (t) => {
  const group = new ProcessGroup(process.execPath, ['-e', flood('stderr', '', 'process.stderr.write(" out of cheese"); process.exitCode = 3')], { env: process.env }, 1_000)
  group.child.stdout.resume()
  await once(group.child, 'close')
  t.equal(await group.exited, 3)
  t.match(group.stderrTail, /^x{2034} out of cheese$/)
})

for (const [what, start] of [['text', ''], ['what begins like JSON', '{"kind":"']] as const) {
  test(`command: ${what} without a line break comes in pieces, or fails the run`, async (t) => {
    const provider = command({ command: process.execPath, args: ['-e', flood('stdout', start)] })
    let [longest, length] = [0, 0]
    const signal = new AbortController().signal
    for await (const event of provider.run({ content: 'hello', providerSessionId: null, signal, log: undefined } as never)) {
      if (event.kind !== 'stream_delta') continue
      longest = Math.max(longest, event.content.length)
      length += event.content.length
    }
    t.equal(length, 64 * MIB + start.length, 'all of it')
    t.ok(longest <= 4 * MIB + CHUNK, `the longest piece has ${longest} characters`)
    const [end] = (await run(t, provider)).slice(-1)
    t.match(end, { kind: 'complete', reason: 'failed', error: { code: start === '' ? 'RUN_TOO_LARGE' : 'EVENT_TOO_LARGE' } })
  })
}
