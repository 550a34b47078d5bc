import type { Test } from 'tap'
import type { Event, Provider } from '../../index.ts'
import { buildApp } from './build-app.ts'

/** An app of one provider, and the warnings that it logs. */
export async function warnedApp (t: Test, provider: Provider) {
  const warnings: string[] = []
  const logger = { level: 'warn', stream: { write: (line: string) => { warnings.push((JSON.parse(line) as { msg: string }).msg) } } }
  const app = await buildApp(t, { providers: { agent: provider }, store: ':memory:' }, { logger })
  return {
    warnings,
    /** The events of a message's run, without the message. */
    async say (content: unknown): Promise<Event[]> {
      const { cursor } = await app.agentRuns.startRun({ sessionId: 's', content: content as string })
      const events: Event[] = []
      for await (const event of app.agentRuns.subscribe('s', { after: cursor + 1 })) {
        if ('seq' in event) events.push(event)
        if (event.kind === 'complete') break
      }
      return events
    }
  }
}

export const said = (events: Event[]): string => events.flatMap((event) => event.kind === 'text' ? [String(event.content)] : []).join('')
