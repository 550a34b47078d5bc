import { test } from 'tap'
import Type from 'typebox'
import { Value } from 'typebox/value'
import type { Event } from '../../lib/protocol/event.ts'
import { AnyEvent, eventOf } from '../../lib/protocol/schemas/events.ts'
import { serveApp } from '../helpers/build-app.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

test('what OpenAPI says of each kind of event is what the log has', async (t) => {
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent } })
  await app.agentRuns.startRun({ sessionId: 's', content: [{ type: 'text', text: 'go' }] })
  const run = await agent.next()
  await run.emit(
    { kind: 'stream_delta', messageId: 'm', content: 'a' },
    { kind: 'stream_end', messageId: 'm' },
    { kind: 'text', messageId: 'm', content: 'a' },
    { kind: 'thinking_delta', messageId: 'n', content: 'b' },
    { kind: 'thinking', messageId: 'n', content: 'b' },
    { kind: 'tool_use', toolId: 't', toolName: 'Read', toolInput: { path: 'x' } },
    { kind: 'tool_update', toolId: 't', status: 'running' },
    { kind: 'tool_result', toolId: 't', toolResult: { content: 'y', isError: false } },
    { kind: 'plan', entries: [1] },
    { kind: 'usage', inputTokens: 1, cached: 2 },
    { kind: 'status', text: 'busy', tokens: 3 },
    { kind: 'error', code: 'E', message: 'oops' },
    { kind: 'custom', name: 'c', data: { any: 'thing' } }
  )
  const answer = run.context.requestPermission({ toolName: 'Write', input: {}, options: [{ optionId: 'y', name: 'Yes', kind: 'allow_once' }] })
  while ((await app.agentRuns.getSession('s'))!.pendingPermissions.length === 0) await new Promise(setImmediate)
  const { pendingPermissions: [asked] } = (await app.agentRuns.getSession('s'))!
  await app.agentRuns.answerPermission({ sessionId: 's', requestId: asked!.requestId, allow: true, optionId: 'y' })
  await answer
  void run.context.requestPermission({ toolName: 'Write', input: {} }).catch(() => {})
  while ((await app.agentRuns.getSession('s'))!.pendingPermissions.length === 0) await new Promise(setImmediate)
  run.fail(new Error('no'))
  while (await app.agentRuns.isProcessing('s')) await new Promise(setImmediate)

  const { events } = await (await fetch(`${url}/sessions/s/events`)).json() as { events: Event[] }
  const kinds = AnyEvent.anyOf.flatMap(({ properties: { kind } }) => Type.IsLiteral(kind) ? [kind.const] : [])
  t.strictSame([...new Set(events.map(({ kind }) => kind))].sort(), kinds.sort(), 'the log has one of each')
  for (const event of events) {
    const schema = Type.Object(eventOf(event.kind).properties, { additionalProperties: event.kind === 'usage' })
    t.strictSame([...Value.Errors(schema, event)], [], `${event.seq} ${event.kind}`)
  }
})
