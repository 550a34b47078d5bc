/* Agents of the Agent Client Protocol that take long: many, many words, and several processes each. */
import { spawnSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { acpApp, pidOf, said, testAgent } from '../helpers/acp-app.ts'
import { gone, groupGone, groupOf, isAlive } from '../helpers/processes.ts'
import { SseClient } from '../helpers/read-sse.ts'
import { tempDir } from '../helpers/temp-dir.ts'

test('an agent that does not have its session any more starts anew, and the client is told', async (t) => {
  for (const env of [{ ACP_RETURNS: 'no' }, { ACP_FORGETS: '1' }]) {
    const { say, client } = await acpApp(t, { ...testAgent(env as unknown as Record<string, string>), idleMs: 0 })
    await gone(pidOf(await say('hello')))
    const second = await say('again')
    t.match(second[1], { kind: 'error', code: 'AGENT_FORGOT' })
    t.match(said(second), /^turn 1 of s/)
    t.notMatch(client.raw, /acp-native/)
  }
})

test('an agent that runs ahead of its log waits for it', async (t) => {
  const { say } = await acpApp(t, testAgent())
  const events = await say('flood')
  t.ok(said(events).endsWith(`. ${Array.from({ length: 20_000 }, (_, i) => i + 1).join(' ')} `))
})

test('so many agents are kept and no more: who is idle longest goes; if all are at work, the run fails', async (t) => {
  const { app, url, say } = await acpApp(t, { ...testAgent(), maxAgents: 1 })
  const first = await say('hello')
  await app.agentRuns.startRun({ sessionId: 'other', content: 'wait' })
  const other = await SseClient.open(`${url}/sessions/other/stream`)
  t.teardown(() => other.cut())
  await other.frame('stream_delta')
  t.equal(isAlive(pidOf(first)), false)
  t.match((await say('no room')).at(-1), { success: false, error: { code: 'TOO_MANY_AGENTS' } })
  await app.agentRuns.abortRun({ sessionId: 'other' })
  t.match((await say('room again')).at(-1), { success: true })
})

test('closing ends every agent, also one whose npm wrapper does not pass a signal on', async (t) => {
  const wrapper = join(tempDir(t), 'wrapper.mjs')
  const { command, args = [], ...agent } = testAgent({ ACP_CHILD: '1', ACP_DEAF: '1' })
  writeFileSync(wrapper, `import { spawn } from 'node:child_process'\nspawn(${JSON.stringify(command)}, ${JSON.stringify(args)}, { stdio: 'inherit' })\nprocess.on('SIGTERM', () => process.exit(0))`)
  chmodSync(wrapper, 0o755)
  const { say, app } = await acpApp(t, { ...agent, command, args: [wrapper], killGraceMs: 100 })
  const pid = pidOf(await say('hello'))
  const group = Number(spawnSync('ps', ['-o', 'pgid=', '-p', String(pid)]).stdout)
  t.not(group, pid, 'the wrapper leads')
  t.equal(groupOf(group).length, 3)
  await app.close()
  await groupGone(group)
})
