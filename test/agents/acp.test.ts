/* A real agent that speaks the Agent Client Protocol, with a model service on loopback in place of its own. */
import { randomUUID } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test, type Test } from 'tap'
import type { Event } from '../../index.ts'
import { type AcpApp, acpApp, said } from '../helpers/acp-app.ts'
import { agentPackage } from '../helpers/agent-package.ts'
import { bash, surroundings } from '../helpers/claude-world.ts'
import { FakeModel } from '../helpers/fake-model.ts'
import { untilProcesses } from '../helpers/processes.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const { skip } = agentPackage('@agentclientprotocol/claude-agent-acp')
const AGENT = fileURLToPath(new URL('node_modules/.bin/claude-agent-acp', import.meta.url))
const MARK = 'TEST_AGENT'

interface World extends AcpApp {
  model: FakeModel
  home: string
  /** Resolves when no process is left that the agent, or a tool of it, was. */
  gone: (since?: number) => Promise<void>
}

async function world (t: Test, idleMs = 60_000): Promise<World> {
  const [model, home, mark] = [await FakeModel.open(t), tempDir(t), randomUUID()]
  // Nothing of the developer's own settings: the agent's own agent does not start with all of it.
  const nothing = Object.fromEntries(Object.keys(process.env).map((name) => [name, undefined]))
  const app = await acpApp(t, { command: AGENT, cwd: home, env: { ...nothing, PATH: process.env['PATH'], ...surroundings(model, home), [MARK]: mark }, idleMs })
  return {
    ...app,
    model,
    home,
    async gone (since) {
      await untilProcesses(MARK, mark, (processes) => processes.length === 0)
      if (since !== undefined) t.comment(`nothing of the agent was left after ${Math.round(performance.now() - since)} ms`)
    }
  }
}

/** The native ids are the names of what the agent has written. No client may have read one. */
function assertSecret (t: Test, { home, client }: World): void {
  const ids = readdirSync(join(home, 'config', 'projects'), { recursive: true }).map(String).flatMap((path) => /([0-9a-f-]{36})\.jsonl$/.exec(path)?.[1] ?? [])
  t.ok(ids.length > 0, 'there are native sessions')
  t.strictSame(ids.filter((id) => client.raw.includes(id)), [], 'no client has read a native id')
}

const kinds = (events: Event[]): string[] => [...new Set(events.map(({ kind }) => kind))]

test('turns of one process, and of another that resumes the native session', { skip, timeout: 90_000 }, async (t) => {
  const one = await world(t, 0)
  const first = await one.say('THINK of Ada')
  t.match(said(first), /You said: of Ada/)
  t.ok(first.filter(({ kind }) => kind === 'stream_delta').length > 2, 'in deltas')
  t.ok(kinds(first).includes('thinking'))
  t.match(first.at(-1), { success: true, usage: { contextTokens: Number } })
  await one.gone()
  const second = await one.say('who was it?')
  t.match(said(second), /You said: who was it\? \(turn 2\)/)
  t.match(JSON.stringify(one.model.last.body), /THINK of Ada/)
  await one.gone()
  assertSecret(t, one)
})

test('what is granted is done, what is refused is not', { skip, timeout: 90_000 }, async (t) => {
  const one = await world(t)
  const answer = (command: string, allow: boolean) => one.say(bash(command), {
    onEvent: async (event) => {
      if (event.kind === 'permission_request') await one.app.agentRuns.answerPermission({ sessionId: 's', requestId: event.requestId, allow })
    }
  })
  const granted = await answer('echo 12345 > granted; cat granted', true)
  t.match(granted.find(({ kind }) => kind === 'permission_request'), { toolName: String, input: { command: 'echo 12345 > granted; cat granted' } })
  t.match(said(granted), /The tool said: .*12345/)
  t.match(granted.find(({ kind }) => kind === 'tool_result'), { toolResult: { isError: false } })
  const refused = await answer('echo 12345 > refused', false)
  t.ok(refused.some(({ kind }) => kind === 'permission_resolved'))
  t.ok(readdirSync(one.home).includes('granted'))
  t.notOk(readdirSync(one.home).includes('refused'))
  assertSecret(t, one)
  await one.app.close()
  await one.gone()
})

test('an abort in the middle ends the run at once and the model\'s request; the session goes on', { skip, timeout: 90_000 }, async (t) => {
  const one = await world(t)
  let since = 0
  const aborted = await one.say('SLOW on', {
    onEvent: async ({ kind }) => {
      if (kind !== 'stream_delta' || since > 0) return
      since = performance.now()
      await one.app.agentRuns.abortRun({ sessionId: 's' })
      t.comment(`the run had ended after ${Math.round(performance.now() - since)} ms`)
    }
  })
  t.match(aborted.at(-1), { aborted: true })
  await one.model.until(({ requests }) => requests.every(({ state }) => state !== 'open'))
  t.match((await one.say('go on')).at(-1), { success: true })
  since = performance.now()
  await one.app.close()
  await one.gone(since)
})

test('a model service that breaks off, or dies, in the middle is one failed end', { skip, timeout: 90_000 }, async (t) => {
  const one = await world(t)
  const cut = await one.say('CUT off')
  t.match(cut.at(-1), { kind: 'complete', success: false })
  const dead = await one.say('SLOW on', { onEvent: ({ kind }) => { if (kind === 'stream_delta') void one.model.kill() } })
  t.match(dead.at(-1), { kind: 'complete', success: false })
  t.equal(dead.filter(({ kind }) => kind === 'complete').length, 1)
  await one.app.close()
  await one.gone()
})
