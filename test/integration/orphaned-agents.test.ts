import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'tap'
import { untilProcesses } from '../helpers/processes.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { spawnModule } from '../helpers/spawn-script.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const MARK = 'TEST_ORPHAN'
const skip = process.platform === 'linux' ? false : 'processes are found by Linux\' /proc'

test('agents of a server that was killed end with their input; those that do not, when the server is there again', { skip, timeout: 60_000 }, async (t) => {
  const mark = randomUUID()
  // One that ends when nobody speaks to it any more, and one that hears nothing.
  const deaf = 'trap "" TERM HUP; (setsid sleep 1001 &) ; while :; do sleep 1000; done'
  const serve = async (command: string[], provider = 'command') => {
    const server = spawnModule(t, 'server.ts', ['--port', '0', '--db', join(tempDir(t), 'runs.db'), '--provider', provider, '--', ...command], { [MARK]: mark })
    const url = /at (http:\S+?)\. /.exec(await server.line('fastify-agent-runs is listening'))![1]!
    return { server, url }
  }
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
  await serve(['cat'])
  await others(0)
})
