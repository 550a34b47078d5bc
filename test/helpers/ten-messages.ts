/* Ten messages in one session with a real agent: a restart, an abort, a failure and a lost native session among them. */
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { test, type Test } from 'tap'
import type { Event, Provider } from '../../index.ts'
import { agentPackage } from './agent-package.ts'
import { serveApp } from './build-app.ts'
import { FakeModel, type ModelRequest } from './fake-model.ts'
import { untilProcesses } from './processes.ts'
import { SseClient } from './read-sse.ts'
import { tempDir } from './temp-dir.ts'

const MARK = 'TEST_AGENT'
/** Long enough for two messages in a row, short enough to wait for. */
export const IDLE_MS = 2_000

export interface Place {
  model: FakeModel
  home: string
  /** What every agent gets, and nothing of the developer's own settings. */
  env: Record<string, string>
}

export interface Agent {
  name: string
  package: string
  create: (place: Place) => Provider
  /** The tool that runs a command, as the model calls it. */
  shell: string
  /** Whether it asks before it runs one. */
  asks: boolean
  /** Whether it speaks in deltas. */
  streams: boolean
  /** The folder of its native sessions, and what an id is in a path or file there. */
  sessions: string
  id: RegExp
  /** Where it also remembers them, as the start of names beside that folder. */
  index?: RegExp
  /** Whether it destroys a session that another process of it loads in the minute in which it began (Gemini CLI 0.61). */
  losesWithinMinute?: boolean
}

/** A file of the packages of agents. */
export const at = (path: string): string => fileURLToPath(new URL(`../agents/node_modules/${path}`, import.meta.url))

/** Notes the native ids that a provider announces. */
function noting (provider: Provider, ids: Set<string>): Provider {
  return {
    ...provider,
    async * run (context) {
      for await (const event of provider.run(context)) {
        if (event.kind === 'session_created') ids.add(event.newSessionId)
        yield event
      }
    }
  }
}

/** Takes its native sessions from it. */
function lose ({ sessions, index }: Agent, home: string): void {
  const folder = join(home, sessions)
  rmSync(folder, { recursive: true })
  if (index === undefined) return
  for (const name of readdirSync(dirname(folder))) if (index.test(name)) rmSync(join(dirname(folder), name))
}

/** The native ids in what the agent has written. */
function idsOnDisk ({ sessions, id }: Agent, home: string): string[] {
  const folder = join(home, sessions)
  const files = readdirSync(folder, { recursive: true }).map((path) => join(folder, String(path))).filter((path) => statSync(path).isFile())
  return files.flatMap((path) => [...`${path}\n${readFileSync(path, 'latin1')}`.matchAll(new RegExp(id.source, 'gm'))].map((match) => match[1]!))
}

export const textOf = (events: Event[]): string => events.flatMap((event) => event.kind === 'text' && event.role === 'assistant' ? [String(event.content)] : []).join('\n')
const deltasOf = (events: Event[]): string => events.flatMap((event) => event.kind === 'stream_delta' ? [event.content] : []).join('')
/** What is said to be wrong; Codex also warns that it does not know the model. */
const errorsOf = (events: Event[]): string[] => events.flatMap((event) => event.kind === 'error' && event.code !== 'AGENT_WARNING' ? [String(event.code)] : [])

export async function startAgent (t: Test, agent: Agent) {
  const [model, home, mark, announced] = [await FakeModel.open(t), tempDir(t), randomUUID(), new Set<string>()]
  const provider = agent.create({ model, home, env: { PATH: process.env['PATH']!, HOME: home, [MARK]: mark } })
  const { app, url } = await serveApp(t, { providers: { agent: noting(provider, announced) } })
  const client = await SseClient.open(`${url}/sessions/s/stream`)
  t.teardown(() => client.cut())
  const of = (runId: string): Event[] => client.events.filter((event) => event.runId === runId)
  const gone = () => untilProcesses(MARK, mark, (processes) => processes.length === 0)
  /** Says something, and allows whatever is asked; aborts it when that resolves. Answers the id of the run. */
  const say = async (content: string, abortWhen?: (runId: string) => Promise<unknown>): Promise<string> => {
    const { runId } = await app.agentRuns.startRun({ sessionId: 's', content })
    const answered = new Set<string>()
    const aborted = abortWhen?.(runId).then(() => app.agentRuns.abortRun({ sessionId: 's' }))
    for (;;) {
      const seen = client.events.length
      for (const event of of(runId)) {
        if (event.kind !== 'permission_request' || answered.has(event.requestId)) continue
        answered.add(event.requestId)
        await app.agentRuns.answerPermission({ sessionId: 's', requestId: event.requestId, allow: true })
      }
      if (of(runId).some(({ kind }) => kind === 'complete')) break
      await client.until(({ events }) => events.length > seen)
    }
    await aborted
    return runId
  }
  return { app, model, home, client, announced, of, gone, say }
}

/** The test of one agent. */
export function tenMessages (agent: Agent): void {
  const { skip } = agentPackage(agent.package)

  test(`${agent.name}: ten messages`, { skip, timeout: 180_000 }, async (t) => {
    const { app, model, home, client, announced, of, gone, say } = await startAgent(t, agent)
    const runs = new Map<string, string>()
    const ids = new Set<string>()
    const note = (): void => {
      const found = idsOnDisk(agent, home)
      t.ok(found.some((id) => announced.has(id)), 'the native session lies on disk')
      for (const id of [...announced, ...found]) ids.add(id)
    }
    const plain = async (word: string, turn?: number): Promise<Event[]> => {
      const runId = await say(word)
      runs.set(word, runId)
      const events = of(runId)
      t.match(textOf(events), `You said: ${word} (turn ${turn ?? ''}`, word)
      t.match(events.at(-1), { kind: 'complete', success: true }, `${word} finishes`)
      return events
    }
    const asked = (word: string): ModelRequest => model.requests.findLast((request) => request.api !== 'other' && request.said === word && request.body.tools?.length > 0)!

    await plain('one', 1)
    const begun = new Date().getMinutes()
    await plain('two', 2)
    t.match(JSON.stringify(asked('two').body), /You said: one \(turn 1\)/, 'the model reads the first message with the second')

    const tool = await say(agent.shell)
    t.match(textOf(of(tool)), /The tool said: [^]*12345/, 'the tool ran')
    t.equal(of(tool).some(({ kind }) => kind === 'permission_request'), agent.asks, 'asked before it')
    t.match(of(tool).find(({ kind }) => kind === 'tool_result'), { toolResult: { isError: false } })
    await plain('four', 4)

    await gone()
    while (agent.losesWithinMinute === true && new Date().getMinutes() === begun) await delay(100)
    t.strictSame(errorsOf(await plain('five', 5)), [], 'another process goes on with the native session')
    t.match(JSON.stringify(asked('five').body), /You said: four \(turn 4\)/)

    const six = await say('SLOW six', async (runId) => {
      await model.until(({ requests }) => requests.some(({ said, state }) => said === 'SLOW six' && state === 'open'))
      if (agent.streams) await client.until(() => deltasOf(of(runId)).includes('You said: six'))
    })
    t.match(of(six).at(-1), { kind: 'complete', aborted: true }, 'six is aborted')
    t.strictSame(errorsOf(await plain('seven')), [])
    t.match(JSON.stringify(asked('seven').body), /You said: five \(turn 5\)/)

    const eight = await say('FAIL 400 final')
    t.match(of(eight).at(-1), { kind: 'complete', success: false, aborted: false, error: { code: String } }, 'eight fails')

    await gone()
    note()
    lose(agent, home)
    t.strictSame(errorsOf(await plain('nine', 1)), ['AGENT_FORGOT'])
    t.strictSame(errorsOf(await plain('ten', 2)), [])

    note()
    const read = client.raw + JSON.stringify([await app.agentRuns.history('s', { limit: 500 }), await app.agentRuns.listSessions()])
    await app.close()
    await gone()
    t.strictSame([...ids].filter((id) => read.includes(id)), [], 'no client has read a native id')
    for (const [word, runId] of [...runs, ...agent.streams ? [['six', six] as const] : []]) {
      const answers = client.events.filter((event) => event.kind === 'text' && event.role === 'assistant' && event.content.toString().includes(`You said: ${word} `))
      t.strictSame(answers.map((event) => event.runId), [runId], `"${word}" is answered once, and in its own run`)
      const words = [...`${deltasOf(of(runId))}\n${textOf(of(runId))}`.matchAll(/You said: (\w+)/g)].map((match) => match[1])
      t.strictSame([...new Set(words)], [word], `nothing else is said in the run of "${word}"`)
    }
    const all = [...new Set(client.events.map(({ runId }) => runId))]
    t.strictSame(all.map((runId) => of(runId).filter(({ kind }) => kind === 'complete').length), Array(10).fill(1), 'each of ten runs has one end')
  })
}
