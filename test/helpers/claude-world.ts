/* Claude Code for real, with a model service on loopback in place of its own. */
import { randomUUID } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { Event } from '../../index.ts'
import { claude, type ClaudeOptions } from '../../providers/claude/index.ts'
import { agentPackage } from './agent-package.ts'
import { serveApp } from './build-app.ts'
import { FakeModel } from './fake-model.ts'
import { type Process, untilProcesses } from './processes.ts'
import { postJson, SseClient } from './read-sse.ts'
import { tempDir } from './temp-dir.ts'

export const claudeSdk = agentPackage('@anthropic-ai/claude-agent-sdk')
/** Every process of an agent carries it. */
const MARK = 'TEST_AGENT'

/** What an agent needs to know of the fake model, and nothing of the developer's own settings. */
export function surroundings (model: FakeModel, home: string): Record<string, string | undefined> {
  const others = Object.keys(process.env).filter((name) => /^(CLAUDE|ANTHROPIC)/.test(name)).map((name) => [name, undefined])
  return {
    ...Object.fromEntries(others),
    HOME: home,
    CLAUDE_CONFIG_DIR: join(home, 'config'),
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    // It asks again by itself, ten times by default, and longer and longer apart.
    CLAUDE_CODE_MAX_RETRIES: '1',
    ANTHROPIC_BASE_URL: model.url,
    ANTHROPIC_API_KEY: 'test-key-0123456789'
  }
}

/** A server whose only provider is the agent, and a client that follows its session. */
export class ClaudeWorld {
  readonly model: FakeModel
  readonly url: string
  readonly client: SseClient
  readonly home: string
  readonly mark: string
  readonly close: () => Promise<unknown>
  /** Everything that JSON routes answered. */
  answers = ''

  private constructor (model: FakeModel, home: string, mark: string, url: string, client: SseClient, close: () => Promise<unknown>) {
    this.model = model
    this.home = home
    this.mark = mark
    this.url = url
    this.client = client
    this.close = close
  }

  static async open (t: Test, options: ClaudeOptions = {}): Promise<ClaudeWorld> {
    const [model, home, mark] = [await FakeModel.open(t), tempDir(t), randomUUID()]
    const provider = claude({ cwd: home, sdk: claudeSdk.load, ...options, env: { ...surroundings(model, home), [MARK]: mark, ...options.env } })
    const { app, url } = await serveApp(t, { providers: { claude: provider } })
    const client = await SseClient.open(`${url}/sessions/s/stream`)
    return new ClaudeWorld(model, home, mark, url, client, () => app.close())
  }

  async post (path: string, body: unknown): Promise<Record<string, unknown>> {
    const { body: answer } = await postJson(`${this.url}/sessions/s/${path}`, body)
    this.answers += JSON.stringify(answer)
    return answer
  }

  say (content: unknown, more: object = {}): Promise<Record<string, unknown>> {
    return this.post('messages', { content, ...more })
  }

  of<K extends Event['kind']> (kind: K): Array<Extract<Event, { kind: K }>> {
    return this.client.events.filter((event): event is Extract<Event, { kind: K }> => event.kind === kind)
  }

  /** Resolves with the n-th event of a kind. */
  async event<K extends Event['kind']> (kind: K, n = 1): Promise<Extract<Event, { kind: K }>> {
    await this.client.until(() => this.of(kind).length >= n)
    return this.of(kind)[n - 1]!
  }

  processes (enough: (processes: Process[]) => boolean): Promise<Process[]> {
    return untilProcesses(MARK, this.mark, enough)
  }

  /** The agent itself, and a tool of it that runs. */
  async atWork (): Promise<{ agent: number, tool: number }> {
    const find = (all: Process[], what: RegExp): number => all.find(({ command }) => what.test(command))?.pid ?? 0
    const all = await this.processes((processes) => find(processes, /^tail -f/) > 0)
    return { agent: find(all, /stream-json/), tool: find(all, /^tail -f/) }
  }

  /** Resolves when nothing of the agent is left, and tells how long that took from `since`. */
  async gone (t: Test, since?: number): Promise<void> {
    await this.processes((processes) => processes.length === 0)
    if (since !== undefined) t.comment(`nothing of the agent was left after ${Math.round(performance.now() - since)} ms`)
  }

  /** What it says durably, in lines. */
  get lines (): string[] {
    return this.client.events.flatMap((event) => {
      switch (event.kind) {
        case 'text': return [`${event.role}: ${String(event.content)}`]
        case 'thinking': return [`thinking: ${event.content}`]
        case 'tool_use': return [`tool: ${event.toolName} ${JSON.stringify(event.toolInput)}`]
        case 'tool_result': return [`result: ${JSON.stringify(event.toolResult)}`]
        case 'permission_request': return [`asks: ${event.toolName} ${JSON.stringify(event.input)}`]
        case 'permission_resolved': return [`allowed: ${event.allow}`]
        case 'permission_cancelled': return [`cancelled: ${event.reason}`]
        case 'error': return [`error: ${event.code}`]
        case 'complete': return [`complete: ${event.reason}${event.error ? ` ${event.error.code}` : ''}`]
        default: return []
      }
    })
  }

  /** The native ids are the names of what the agent has written. Nobody outside may have read one. */
  async assertSecret (t: Test): Promise<void> {
    const ids = readdirSync(join(this.home, 'config', 'projects'), { recursive: true }).map(String).flatMap((path) => /([0-9a-f-]{36})\.jsonl$/.exec(path)?.[1] ?? [])
    t.ok(ids.length > 0, 'there are native sessions')
    this.answers += await (await fetch(`${this.url}/sessions/s/messages`)).text() + await (await fetch(`${this.url}/sessions`)).text()
    t.strictSame(ids.filter((id) => this.client.raw.includes(id) || this.answers.includes(id)), [], 'no client has read a native id')
  }
}

/** A message that makes the agent run a command. */
export function bash (command: string): string {
  return `USE_TOOL ${JSON.stringify({ command, description: 'test' })}`
}
