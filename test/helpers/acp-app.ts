/* An app in front of the test's ACP agent. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import type { Event } from '../../index.ts'
import type { FastifyInstance } from 'fastify'
import { acp, type AcpOptions } from '../../providers/acp/index.ts'
import { serveApp } from './build-app.ts'
import { SseClient } from './read-sse.ts'

const AGENT = fileURLToPath(new URL('scripts/acp-agent.ts', import.meta.url))
const ROOT = join(fileURLToPath(import.meta.url), '../../..')

/** The options that start the agent; `env` says how it behaves. */
export function testAgent (env: Record<string, string> = {}): AcpOptions {
  return { command: process.execPath, args: ['--import', 'tsx', AGENT], cwd: ROOT, env: { _TAPJS_PROCESSINFO_COVERAGE_: '0', ...env } }
}

export interface AcpApp {
  app: FastifyInstance
  url: string
  /** Everything that a client of session `s` got so far, to the byte. */
  client: SseClient
  /** Posts a message into session `s`; its events, once it has completed. */
  say: (content: unknown, options?: { onEvent?: (event: Event) => Promise<void> | void }) => Promise<Event[]>
}

export async function acpApp (t: Test, options: AcpOptions): Promise<AcpApp> {
  const { app, url } = await serveApp(t, { providers: { acp: acp(options) } })
  const client = await SseClient.open(`${url}/sessions/s/stream`)
  t.teardown(() => client.cut())
  return {
    app,
    url,
    client,
    async say (content, { onEvent } = {}) {
      const { runId } = await app.agentRuns.startRun({ sessionId: 's', content: content as string })
      let seen = client.events.length
      for (;;) {
        await client.until(({ events }) => events.length > seen)
        const event = client.events[seen++]!
        if (event.runId !== runId) continue
        await onEvent?.(event)
        if (event.kind === 'complete') return client.events.filter((each) => each.runId === runId)
      }
    }
  }
}

/** What the agent said. */
export function said (events: Event[]): string {
  return events.flatMap((event) => event.kind === 'text' && event.role === 'assistant' ? [String(event.content)] : []).join('')
}

/** The process of the agent that said something. */
export function pidOf (events: Event[]): number {
  return Number(/ in (\d+)\./.exec(said(events))![1])
}
