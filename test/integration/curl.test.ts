/* curl, as people try things with it and scripts follow runs: what it prints, and how it ends. */
import { spawn, spawnSync } from 'node:child_process'
import { test, type Test } from 'tap'
import type { Event } from '../../lib/protocol/event.ts'
import type { Frame } from '../../lib/protocol/frames.ts'
import { serveApp } from '../helpers/build-app.ts'
import { CuttingProxy } from '../helpers/cutting-proxy.ts'
import { frameLine } from '../helpers/frame-line.ts'
import { postJson } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { ScriptProcess } from '../helpers/spawn-script.ts'

const isInstalled = spawnSync('curl', ['--version']).status === 0
// On a developer's machine it may be absent; where nobody looks, an absent curl must not pass for a tested one.
const skip = isInstalled || process.env['CI'] ? false : 'curl is not installed'
/** The codes with which curl says that it was cut off in the middle of an answer. */
const CUT_OFF = [18, 56]

/** Runs curl; killed with the test. */
function curl (t: Test, ...args: string[]): ScriptProcess {
  const child = spawn('curl', ['--silent', '--no-buffer', ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => { child.kill('SIGKILL') })
  return new ScriptProcess(child)
}

/** The lines of a stream, of each frame's JSON what tells it from others. */
function told (lines: string[]): string[] {
  return lines.map((line) => line.startsWith('data: ') ? frameLine(JSON.parse(line.slice(6)) as Event | Frame) : line)
}

test('curl -N replays what is there after its Last-Event-ID, follows what comes, and ends well when the run has ended', { skip }, async (t) => {
  const agent = scriptedProvider()
  const { url } = await serveApp(t, { providers: { agent } })
  await postJson(`${url}/sessions/s/messages`, { content: 'go' })
  const run = await agent.next()
  await run.emit({ kind: 'text', content: 'one' }, { kind: 'text', content: 'two' })

  const client = curl(t, '-H', 'Last-Event-ID: 2', `${url}/sessions/s/stream?until=complete`)
  await client.line('id: 3')
  await run.emit({ kind: 'stream_delta', messageId: 'm', content: 'three' })
  await client.line('id: 4')
  await run.emit({ kind: 'text', messageId: 'm', content: 'three' })
  run.end()

  t.equal(await client.exited, 0)
  t.strictSame(told(client.lines), [
    'retry: 1000',
    'chat_subscribed 2', 'id: 2', '',
    'text two', 'id: 3', '',
    'stream_delta three', 'id: 4', '',
    'text three', 'id: 5', '',
    'complete finished', 'id: 6', ''
  ])
})

test('curl that posts a message and accepts a stream gets that run alone, and ends with it', { skip }, async (t) => {
  const agent = scriptedProvider()
  const { url } = await serveApp(t, { providers: { agent } })
  await postJson(`${url}/sessions/s/messages`, { content: 'before' })
  ;(await agent.next()).end()

  const client = curl(t, '-H', 'Accept: text/event-stream', '-H', 'Content-Type: application/json', '-d', '{"content":"go","onBusy":"queue"}', `${url}/sessions/s/messages`)
  const run = await agent.next()
  await run.emit({ kind: 'text', content: 'one' })
  await client.line('id: 4')
  run.end()

  t.equal(await client.exited, 0)
  t.strictSame(told(client.lines), [
    'retry: 1000', 'chat_subscribed 2', 'id: 2', '', 'text go', 'id: 3', '', 'text one', 'id: 4', '', 'complete finished', 'id: 5', ''
  ])
})

test('curl that is cut off says so by its exit code; with the last id that it printed it misses nothing', { skip }, async (t) => {
  const agent = scriptedProvider()
  const { url } = await serveApp(t, { providers: { agent } })
  const proxy = await CuttingProxy.open(t, url)
  const first = curl(t, `${proxy.url}/sessions/s/stream`)
  await first.line('data: ')
  await postJson(`${url}/sessions/s/messages`, { content: 'go' })
  const run = await agent.next()
  await run.emit({ kind: 'text', content: 'one' })
  const cut = proxy.cutInside('@@two@@')
  await run.emit({ kind: 'text', content: '@@two@@' })
  await cut
  t.ok(CUT_OFF.includes(Number(await first.exited)), `it ends with ${await first.exited}`)
  run.end()

  const whole = first.lines.slice(0, first.lines.lastIndexOf('') + 1)
  const lastId = whole.findLast((line) => line.startsWith('id: '))!.slice(4)
  const second = curl(t, '-H', `Last-Event-ID: ${lastId}`, `${proxy.url}/sessions/s/stream?until=complete`)
  t.equal(await second.exited, 0)
  t.strictSame([...told([...whole, ...second.lines])], [
    'retry: 1000', 'chat_subscribed 0', 'id: 0', '', 'text go', 'id: 1', '', 'text one', 'id: 2', '',
    'retry: 1000', 'chat_subscribed 2', 'id: 2', '', 'text @@two@@', 'id: 3', '', 'complete finished', 'id: 4', ''
  ])
})

test('curl --fail tells a session that is gone from one that ends', { skip }, async (t) => {
  const { app, url } = await serveApp(t, { providers: { agent: scriptedProvider() } })
  await app.agentRuns.createSession({ id: 's' })
  const client = curl(t, `${url}/sessions/s/stream`)
  await client.line('data: ')
  await app.agentRuns.deleteSession('s')
  t.equal(await client.exited, 0)
  t.strictSame(told(client.lines), ['retry: 1000', 'chat_subscribed 0', 'id: 0', '', 'session_deleted', ''])
  t.equal(await curl(t, '--fail', `${url}/sessions/s/stream`).exited, 22)
})
