/* The rest of what every transport promises: how what is followed ends, and who is slow. */
import { test } from 'tap'
import { serveApp } from '../helpers/build-app.ts'
import { type Follower, TRANSPORTS } from '../helpers/followers.ts'
import { postJson } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

const upTo = (last: number, first = 1): number[] => Array.from({ length: last - first + 1 }, (_, index) => first + index)

function cutAll (followers: Follower[]): void {
  for (const follower of followers) follower.cut()
}

for (const { name, follow } of TRANSPORTS) {
  test(`${name}: a client of a session that is deleted is told so, and nothing after it`, async (t) => {
    const agent = scriptedProvider()
    const { app, url } = await serveApp(t, { providers: { agent } })
    await app.agentRuns.createSession({ id: 's' })
    const [idle, other] = await Promise.all([follow(url, 's'), follow(url, 'other')])
    await Promise.all([idle, other].map((client) => client.frame('chat_subscribed')))
    await postJson(`${url}/sessions/s/messages`, { content: 'go' })
    const run = await agent.next()
    await run.emit({ kind: 'text', content: 'one' })
    const late = await follow(url, 's')
    await Promise.all([idle, late].map((client) => client.until(({ seqs }) => seqs.at(-1) === 2)))
    t.equal((await fetch(`${url}/sessions/s`, { method: 'DELETE' })).status, 204)
    await run.stopped.promise
    for (const client of [idle, late]) {
      await client.ended()
      t.strictSame(client.kinds, ['chat_subscribed', 'text', 'text', 'session_deleted'])
      t.strictSame(client.frames.at(-1), { kind: 'session_deleted', sessionId: 's' })
    }
    await postJson(`${url}/sessions/other/messages`, { content: 'go' })
    ;(await agent.next()).end()
    await other.frame('complete')
    t.strictSame(other.kinds, ['chat_subscribed', 'text', 'complete'], 'the others go on')
    cutAll([idle, late, other])
  })

  test(`${name}: who has fallen behind in a session that is deleted is told so too, when it reads on`, async (t) => {
    const agent = scriptedProvider()
    const { url } = await serveApp(t, { providers: { agent } })
    await postJson(`${url}/sessions/s/messages`, { content: 'go' })
    const run = await agent.next()
    const slow = await follow(url, 's')
    await slow.frame('text')
    slow.stall()
    for (let i = 0; i < 120; i++) await run.emit({ kind: 'text', content: 'x'.repeat(100_000) })
    t.equal((await fetch(`${url}/sessions/s`, { method: 'DELETE' })).status, 204)
    slow.resume()
    await slow.ended()
    t.strictSame(slow.seqs, upTo(slow.seqs.length))
    t.ok(slow.seqs.length < 121, 'what it had not been given is gone')
    t.strictSame(slow.kinds.filter((kind) => kind !== 'text'), ['chat_subscribed', 'session_deleted'])
    t.strictSame(slow.kinds.at(-1), 'session_deleted')
    slow.cut()
  })

  test(`${name}: when the server closes, everybody has the last event, is told to come back, and nothing after it`, async (t) => {
    const agent = scriptedProvider()
    const { app, url } = await serveApp(t, { providers: { agent } })
    await app.agentRuns.createSession({ id: 'idle' })
    await postJson(`${url}/sessions/s/messages`, { content: 'go' })
    const run = await agent.next()
    const [live, idle, waiting] = await Promise.all([follow(url, 's'), follow(url, 'idle'), follow(url, 'unborn')])
    await Promise.all([idle, waiting].map((client) => client.frame('chat_subscribed')))
    await run.emit({ kind: 'stream_delta', messageId: 'm', content: 'half' })
    await live.until(({ seqs }) => seqs.at(-1) === 2)
    await app.close()
    await Promise.all([live, idle, waiting].map((client) => client.ended()))
    t.strictSame(live.kinds, ['chat_subscribed', 'text', 'stream_delta', 'text', 'complete', 'stream_closing'])
    t.match(live.events.at(-1), { kind: 'complete', reason: 'interrupted', success: false, exitCode: 1 })
    t.match(live.frames.at(-1), { kind: 'stream_closing', sessionId: 's', retryMs: Number })
    t.strictSame([idle.kinds, waiting.kinds], [['chat_subscribed', 'stream_closing'], ['chat_subscribed', 'stream_closing']])
  })

  test(`${name}: when the server closes, who is still catching up gets all of it before it is told to come back`, async (t) => {
    const agent = scriptedProvider()
    const { app, url } = await serveApp(t, { providers: { agent } })
    await postJson(`${url}/sessions/s/messages`, { content: 'go' })
    const run = await agent.next()
    for (let i = 0; i < 20; i++) await run.emit({ kind: 'text', content: 'x'.repeat(100_000) })
    const client = await follow(url, 's')
    await client.frame('chat_subscribed')
    await app.close()
    await client.ended()
    t.strictSame(client.seqs, upTo(22))
    t.strictSame(client.kinds.slice(-2), ['complete', 'stream_closing'])
  })

  test(`${name}: a slow reader holds nobody up, falls back to reading the log, and gets everything once`, async (t) => {
    const agent = scriptedProvider()
    const { url } = await serveApp(t, { providers: { agent } })
    await postJson(`${url}/sessions/s/messages`, { content: 'go' })
    const run = await agent.next()
    const [slow, fast] = await Promise.all([follow(url, 's'), follow(url, 's')])
    await Promise.all([slow, fast].map((client) => client.frame('text')))
    slow.stall()
    const say = async (times: number): Promise<void> => {
      for (let i = 0; i < times; i++) await run.emit({ kind: 'text', content: 'x'.repeat(100_000) })
    }
    await say(150)
    await fast.until(({ seqs }) => seqs.at(-1) === 151)
    t.ok(slow.seqs.length < 151)
    slow.resume()
    // While it reads the log.
    await say(10)
    run.end()
    await Promise.all([slow, fast].map((client) => client.frame('complete')))
    t.strictSame([slow.seqs, fast.seqs], [upTo(162), upTo(162)])
    t.strictSame(slow.kinds.filter((kind) => kind !== 'text'), ['chat_subscribed', 'complete'])
    cutAll([slow, fast])
  })

  test(`${name}: the approvals that wait are in chat_subscribed as they are in the log, and no others`, async (t) => {
    const agent = scriptedProvider()
    const { app, url } = await serveApp(t, { providers: { agent } })
    await postJson(`${url}/sessions/s/messages`, { content: 'go' })
    const { context } = await agent.next()
    const early = await follow(url, 's')
    const [first, second] = ['ls', 'rm'].map((toolName) => context.requestPermission({ toolName, input: { of: toolName } }))
    await early.until(({ seqs }) => seqs.at(-1) === 3)
    const pendingOf = async (after: number): Promise<unknown> => {
      const client = await follow(url, 's', after)
      const { pendingPermissions } = await client.frame('chat_subscribed') as { pendingPermissions: unknown }
      client.cut()
      return pendingPermissions
    }
    const requests = early.events.slice(1)
    t.strictSame(requests.map(({ kind }) => kind), ['permission_request', 'permission_request'])
    t.strictSame(await pendingOf(0), requests)
    t.strictSame(await pendingOf(3), requests, 'whatever the cursor')
    const { requestId } = requests[0] as { requestId: string }
    await app.agentRuns.answerPermission({ sessionId: 's', requestId, allow: true })
    t.match(await first, { allow: true })
    t.strictSame(await pendingOf(0), [requests[1]])
    await postJson(`${url}/sessions/s/abort`, {})
    await t.rejects(second!, { name: 'AbortError' })
    await early.frame('complete')
    t.strictSame(await pendingOf(0), [])
    early.cut()
  })
}
