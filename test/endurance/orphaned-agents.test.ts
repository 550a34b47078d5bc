import { spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { command } from '../../providers/command/command.ts'
import { STRAY_VARIABLE } from '../../providers/process/strays.ts'
import { buildApp } from '../helpers/build-app.ts'
import { untilProcesses } from '../helpers/processes.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { spawnModule } from '../helpers/spawn-script.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const MARK = 'TEST_ORPHAN'
const skip = process.platform === 'linux' ? false : 'processes are found by Linux\' /proc'

/** A standalone server, and where it is. */
async function serveStandalone (t: Test, args: string[], env: NodeJS.ProcessEnv) {
  const server = spawnModule(t, 'standalone/server.ts', ['--port', '0', '--db', join(tempDir(t), 'runs.db'), ...args], env)
  const url = /at (http:\S+?)\. /.exec(await server.line('fastify-agent-runs is listening'))![1]!
  return { server, url }
}

test('agents of a server that was killed end with their input; those that do not, when the server is there again', { skip, timeout: 60_000 }, async (t) => {
  const mark = randomUUID()
  // One that ends when nobody speaks to it any more, and one that hears nothing.
  const deaf = 'trap "" TERM HUP; (setsid sleep 1001 &) ; while :; do sleep 1000; done'
  const serve = (command: string[], provider = 'command') => serveStandalone(t, ['--inherit-env', MARK, '--provider', provider, '--', ...command], { [MARK]: mark })
  const others = (count: number) => untilProcesses(MARK, mark, (processes) => processes.filter(({ command }) => !/server\.ts/.test(command)).length === count)

  const polite = await serve([process.execPath, '--import', 'tsx', 'test/helpers/scripts/acp-agent.ts'], 'acp')
  const client = await SseClient.open(`${polite.url}/sessions/s/stream`)
  await postJson(`${polite.url}/sessions/s/messages`, { content: 'wait' })
  await client.frame('stream_delta')
  await polite.server.kill('SIGKILL')
  await others(0)

  const first = await serve(['sh', '-c', deaf])
  t.equal((await postJson(`${first.url}/sessions/s/messages`, { content: 'hello' })).status, 202)
  // The shell, its sleep, and what has left its group.
  await others(3)
  // A server beside it does no harm to agents of one that lives.
  const beside = await serve(['cat'])
  t.equal((await postJson(`${beside.url}/sessions/s/messages`, { content: 'hello' })).status, 202)
  await others(3)
  await first.server.kill('SIGKILL')
  t.equal((await others(3)).length > 0, true, 'nobody ends them yet')
  // Nor does a host that has not asked for it; its own search for what the command left ends after any that began before.
  const host = await buildApp(t, { providers: { command: command({ command: 'true' }) } })
  const { runId } = await host.agentRuns.startRun({ sessionId: 's', content: 'hello' })
  for await (const event of host.agentRuns.subscribe('s')) if ('runId' in event && event.runId === runId && event.kind === 'complete') break
  t.equal((await others(3)).length > 0, true)
  await serve(['cat'])
  await others(0)
})

test('a server that is started among the agents of a dead one ends those of others, not itself', { skip, timeout: 60_000 }, async (t) => {
  const namespace = readlinkSync('/proc/self/ns/pid').replace(/\D/g, '')
  const dead = (): string => [namespace, spawnSync('true').pid, 1, randomUUID()].join(':')
  const orphan = spawn('sleep', ['1000'], { stdio: 'ignore', env: { ...process.env, [STRAY_VARIABLE]: dead() } })
  const ended = new Promise((resolve) => { orphan.on('exit', (_, signal) => resolve(signal)) })
  const { url } = await serveStandalone(t, ['--provider', 'command', '--', 'cat'], { [STRAY_VARIABLE]: dead() })
  t.equal(await ended, 'SIGKILL', 'it has searched')
  const client = await SseClient.open(`${url}/sessions/s/stream`)
  t.equal((await postJson(`${url}/sessions/s/messages`, { content: 'hello' })).status, 202)
  t.match(await client.frame('complete'), { success: true })
})
