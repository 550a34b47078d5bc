import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import type { Event, ProviderEvent } from '../../index.ts'
import { command, type CommandOptions } from '../../providers/command/command.ts'
import { buildApp } from '../helpers/build-app.ts'
import { gone, isAlive } from '../helpers/processes.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const node = (script: string, ...args: string[]): CommandOptions => ({ command: process.execPath, args: ['-e', script, '--', ...args] })

async function run (t: Test, options: CommandOptions, content: string | Array<{ type: 'image', mimeType: string, url: string }> = 'hello') {
  const app = await buildApp(t, { providers: { command: command(options) }, store: ':memory:' })
  await app.agentRuns.startRun({ sessionId: 's', content })
  const events: Event[] = []
  for await (const event of app.agentRuns.subscribe('s', { after: 1 })) {
    if ('seq' in event) events.push(event)
    if (event.kind === 'complete') break
  }
  return { app, events, last: events.at(-1)! }
}

test('the message goes to standard input, plain output becomes deltas and one text', async (t) => {
  const { events } = await run(t, node('process.stdin.on("data", (d) => process.stdout.write("you said " + d + "\\nüñ"))'))
  const deltas = events.flatMap((event) => event.kind === 'stream_delta' ? [event.content] : [])
  t.equal(deltas.join(''), 'you said hello\nüñ')
  t.match(events.slice(-2), [{ kind: 'text', role: 'assistant', content: 'you said hello\nüñ' }, { kind: 'complete', exitCode: 0, success: true }])
})

test('{message} puts the message among the arguments, out of reach of any shell', async (t) => {
  const nasty = '$(touch /tmp/x); `id` "quotes" \'single\' --flag'
  const { events } = await run(t, node('process.stdout.write(process.argv.slice(1).join("|"))', 'a', '{message}', 'b'), nasty)
  t.match(events.at(-2), { kind: 'text', content: `a|${nasty}|b` })
})

test('JSON lines with a kind become events; what was said before them comes before them in the history', async (t) => {
  const lines: Array<ProviderEvent | object | string> = [
    'Let me look.\n', { kind: 'session_created', newSessionId: 'native-0123456789' }, { kind: 'tool_use', toolId: 't', toolName: 'ls', toolInput: { in: 'native-0123456789' } },
    { kind: 'tool_result', toolId: 't', toolResult: { content: 'ok', isError: false } }, { no: 'kind' }, '{ not json\n', { kind: 'usage', inputTokens: 3 }, 'Done.'
  ]
  const script = lines.map((line) => typeof line === 'string' ? line : `${JSON.stringify(line)}\n`).map((line) => `process.stdout.write(${JSON.stringify(line)});`).join('')
  const { app, events } = await run(t, node(script))
  t.equal(events.at(-1)?.kind, 'complete')
  const durable = (await app.agentRuns.history('s')).events.slice(1).map((event) => {
    if (event.kind === 'text') return event.content
    return event.kind === 'tool_use' ? event.toolInput : event.kind
  })
  t.strictSame(durable, ['Let me look.\n', { in: 's' }, 'tool_result', 'usage', '{"no":"kind"}\n{ not json\n', 'Done.', 'complete'])
})

test('the exit code is the run\'s, and the end of standard error says why', async (t) => {
  const { last } = await run(t, node('process.stdout.write("half"); process.stderr.write("x".repeat(9000) + " out of cheese"); process.exitCode = 3'))
  t.match(last, { kind: 'complete', exitCode: 3, success: false, reason: 'failed', error: { code: 'COMMAND_FAILED', message: /exited with code 3: x+ out of cheese$/ } })
  t.ok(((last as { error?: { message: string } }).error?.message.length ?? 0) < 5_000)
  const killed = await run(t, node('process.kill(process.pid, "SIGKILL")'))
  t.match(killed.last, { exitCode: 137, reason: 'failed' })
  const own = await run(t, node('console.log(JSON.stringify({ kind: "complete", exitCode: 0, usage: { inputTokens: 9 } }))'))
  t.match(own.last, { exitCode: 0, usage: { inputTokens: 9 } })
})

test('a command that cannot be started, and content that it cannot take, are failures that say so', async (t) => {
  const missing = await run(t, { command: '/no/such/agent' })
  t.match(missing.last, { exitCode: 127, reason: 'failed', error: { code: 'COMMAND_NOT_STARTED', message: '"/no/such/agent" cannot be started: there is no such program. Install it, or name it by its path.' } })
  const image = await run(t, node(''), [{ type: 'image', mimeType: 'image/png', url: 'https://x/y.png' }])
  t.match(image.last, { error: { code: 'UNSUPPORTED_CONTENT' } })
})

test('a command that does not read its input, and one that writes for ever, harm nobody', async (t) => {
  const deaf = await run(t, node('process.stdin.destroy(); process.stdout.write("fine")'), 'x'.repeat(900_000))
  t.match(deaf.last, { exitCode: 0 })
  const app = await buildApp(t, { providers: { command: command({ ...node('(function f () { process.stdout.write("x".repeat(65536), f) })()'), killGraceMs: 200 }) }, store: ':memory:' })
  await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
  for await (const event of app.agentRuns.subscribe('s')) if ('seq' in event && event.seq > 50) break
  t.match(await app.agentRuns.abortRun({ sessionId: 's' }), { reason: 'aborted' })
})

const FAMILY = `
  const { spawn } = require('node:child_process')
  process.on('SIGTERM', () => {})
  const child = spawn(process.execPath, ['-e', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1e6)'], { stdio: 'inherit' })
  console.log(JSON.stringify({ kind: 'custom', name: 'pids', data: [process.pid, child.pid] }))
  setInterval(() => {}, 1e6)
`

for (const [how, stop] of Object.entries({
  'an abort': async (app: Awaited<ReturnType<typeof buildApp>>) => { await app.agentRuns.abortRun({ sessionId: 's' }) },
  'closing the server': async (app: Awaited<ReturnType<typeof buildApp>>) => { await app.close() }
})) {
  test(`${how} ends the command and all that it started, also if they do not want to`, async (t) => {
    const app = await buildApp(t, { providers: { command: command({ ...node(FAMILY), killGraceMs: 100 }) }, store: ':memory:' })
    await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
    let pids: number[] = []
    for await (const event of app.agentRuns.subscribe('s')) {
      if (event.kind !== 'custom') continue
      pids = event.data as number[]
      break
    }
    t.strictSame(pids.map(isAlive), [true, true])
    await stop(app)
    await Promise.all(pids.map(gone))
    t.strictSame(pids.map(isAlive), [false, false])
  })
}

test('what a command leaves running in its group when it ends is ended too', async (t) => {
  const { events } = await run(t, node(`
    const { spawn } = require('node:child_process')
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'inherit' })
    console.log(JSON.stringify({ kind: 'custom', name: 'pid', data: child.pid }))
    child.unref()
  `))
  await gone((events[0] as { data: number }).data)
  t.match(events.at(-1), { kind: 'complete', exitCode: 0 })
})

test('however long its grace is, a command has it', async (t) => {
  const done = join(tempDir(t), 'done')
  const script = `
    process.on('SIGTERM', () => setTimeout(() => { require('node:fs').writeFileSync(process.argv[1], ''); process.exit() }, 100))
    setInterval(() => {}, 1e6)
    console.log(JSON.stringify({ kind: 'custom', name: 'pid', data: process.pid }))
  `
  const app = await buildApp(t, { providers: { command: command({ ...node(script, done), killGraceMs: Infinity }) }, store: ':memory:' })
  await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
  for await (const event of app.agentRuns.subscribe('s')) {
    if (event.kind !== 'custom') continue
    await app.agentRuns.abortRun({ sessionId: 's' })
    await gone(event.data as number)
    break
  }
  t.ok(existsSync(done), 'it came to its own end')
})
