import { setImmediate as nextTurn } from 'node:timers/promises'
import { test, type Test } from 'tap'
import type { AgentRunsOptions } from '../../index.ts'
import { serveApp } from '../helpers/build-app.ts'
import { latch } from '../helpers/latch.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

/** A server whose users say who they are, and for how long. */
async function serve (t: Test, options: Partial<AgentRunsOptions> = {}) {
  const agent = scriptedProvider()
  /** When identities end; null = never. */
  const session = { expiresAt: null as number | null }
  const { app, url } = await serveApp(t, {
    providers: { agent },
    heartbeatMs: 100,
    identify: ({ headers }) => ({ owner: headers['x-user'] as string, expiresAt: session.expiresAt }),
    ...options
  })
  const open = (user: string, id: string, query = '') => SseClient.open(`${url}/sessions/${id}/stream${query}`, { headers: { 'x-user': user } })
  return { app, url, agent, session, open }
}

/** From here on it is an hour later, until the end of the test. */
function anHourLater (t: Test): void {
  const { now } = Date
  Date.now = () => now() + 3_600_000
  t.teardown(() => { Date.now = now })
}

test('a stream of somebody else\'s session is a 404, not a wait', async (t) => {
  const { app, url } = await serve(t)
  await app.agentRuns.createSession({ id: 'hers', owner: 'alice' })
  for (const query of ['', '?lastEventId=latest', '?until=complete', '?lastEventId=7']) {
    const response = await fetch(`${url}/sessions/hers/stream${query}`, { headers: { 'x-user': 'bob' } })
    t.match([response.status, await response.json()], [404, { code: 'SESSION_NOT_FOUND', message: 'Session "hers" does not exist.' }], query)
  }
  await t.rejects(app.agentRuns.subscribe('hers', { owner: 'bob' }).next(), { code: 'AGENT_RUNS_SESSION_NOT_FOUND' })
})

test('a stream that waits for a session ends without a word when it comes to be somebody else\'s, and delivers when it is one\'s own', async (t) => {
  const { app, url, agent, open } = await serve(t)
  const [bob, alice] = await Promise.all(['bob', 'alice'].map((user) => open(user, 'later')))
  await Promise.all([bob, alice].map((client) => client!.frame('chat_subscribed')))
  await app.agentRuns.startRun({ sessionId: 'later', owner: 'alice', content: 'secret' })
  const run = await agent.next()
  await alice!.frame('text')
  await bob!.ended()
  t.strictSame(bob!.kinds, ['chat_subscribed'])
  t.notMatch(bob!.raw, 'secret')
  run.end()
  await alice!.frame('complete')
  alice!.cut()
  const again = await fetch(`${url}/sessions/later/stream`, { headers: { 'x-user': 'bob' } })
  t.equal(again.status, 404, 'and the client that comes back is told')
})

test('a stream that waits asks authorize once more when the session is there, before anything is delivered', async (t) => {
  const asked: unknown[] = []
  const answer = latch<boolean>()
  const { app, agent, open } = await serve(t, {
    authorize: async (_, { action, session }) => {
      asked.push([action, session && { id: session.id, title: session.title, lastSeq: session.lastSeq }])
      return session === null || answer.promise
    }
  })
  const client = await open('alice', 'later')
  await client.frame('chat_subscribed')
  await app.agentRuns.createSession({ id: 'later', owner: 'alice', title: 'x' })
  await app.agentRuns.startRun({ sessionId: 'later', owner: 'alice', content: 'go' })
  const run = await agent.next()
  await run.emit({ kind: 'text', content: 'one' })
  while (asked.length < 2) await nextTurn()
  t.strictSame(client.kinds, ['chat_subscribed'], 'nothing before the answer')
  answer.open(true)
  await client.until(({ seqs }) => seqs.includes(2))
  run.end()
  await client.frame('complete')
  client.cut()
  t.strictSame(client.seqs, [1, 2, 3])
  t.strictSame(asked.map((each) => (each as unknown[])[0]), ['read', 'read'], 'twice in all')
  t.match(asked, [['read', null], ['read', { id: 'later', title: 'x' }]])
})

test('a stream that waits ends without a word if authorize refuses the session, or fails', async (t) => {
  for (const refuse of [() => false, () => { throw new Error('no database') }]) {
    const { app, agent, open } = await serve(t, { authorize: (_, { session }) => session === null || refuse() })
    const client = await open('alice', 'later')
    await client.frame('chat_subscribed')
    await app.agentRuns.startRun({ sessionId: 'later', owner: 'alice', content: 'secret' })
    await client.ended()
    t.strictSame(client.kinds, ['chat_subscribed'])
    ;(await agent.next()).end()
  }
})

test('a session that comes to be between the guard and the stream is asked about too', async (t) => {
  const { app, url } = await serve(t, {
    authorize: async (_, { session }) => {
      if (session === null) await app.agentRuns.createSession({ id: 'now', owner: 'alice' })
      return session === null
    }
  })
  const response = await fetch(`${url}/sessions/now/stream`, { headers: { 'x-user': 'alice' } })
  t.match([response.status, await response.json()], [404, { code: 'SESSION_NOT_FOUND' }])
})

test('when an identity ends so do its streams, told when to come back; the run goes on, and who comes back is nobody', async (t) => {
  const { app, url, agent, session, open } = await serve(t)
  const lasting = await open('bob', 'bobs')
  session.expiresAt = Date.now() + 3_600_000
  const waiting = await open('alice', 'unborn')
  const posted = SseClient.open(`${url}/sessions/hers/messages`, {
    method: 'POST', headers: { 'x-user': 'alice', accept: 'text/event-stream', 'content-type': 'application/json' }, body: JSON.stringify({ content: 'go' })
  })
  const run = await agent.next()
  const following = await open('alice', 'hers')
  const clients = [waiting, await posted, following]
  await following.frame('text')
  await waiting.until(({ raw }) => raw.endsWith(':\n'))
  t.strictSame(waiting.kinds, ['chat_subscribed'], 'until then they stay')
  anHourLater(t)
  await Promise.all(clients.map((client) => client.ended()))
  t.strictSame(clients.map(({ kinds }) => kinds), [['chat_subscribed', 'stream_closing'], ['chat_subscribed', 'text', 'stream_closing'], ['chat_subscribed', 'text', 'stream_closing']])
  t.strictSame(following.frames.at(-1)?.data, { kind: 'stream_closing', sessionId: 'hers', retryMs: 1_000 })
  t.match(following.raw, '\nretry: 1000\ndata: {"kind":"stream_closing"')

  const back = await fetch(`${url}/sessions/hers/stream`, { headers: { 'x-user': 'alice', 'last-event-id': '1' } })
  t.match([back.status, await back.json()], [401, { code: 'UNAUTHENTICATED' }])
  await run.emit({ kind: 'text', content: 'still here' })
  run.end()
  session.expiresAt = null
  const renewed = await open('alice', 'hers', '?until=complete&lastEventId=1')
  await renewed.ended()
  t.strictSame(renewed.seqs, [2, 3], 'nothing was lost')
  await postJson(`${url}/sessions/bobs/messages`, { content: 'hi' }, { 'x-user': 'bob' })
  await lasting.frame('text')
  t.equal((await app.agentRuns.getSession('bobs'))?.owner, 'bob', 'who has time left keeps the stream')
  lasting.cut()
  ;(await agent.next()).end()
})

test('an identity that ends cuts short what is still to be replayed', async (t) => {
  const { url, agent, session } = await serve(t, { stallTimeoutMs: 60_000 })
  await postJson(`${url}/sessions/s/messages`, { content: 'go' }, { 'x-user': 'alice' })
  const run = await agent.next()
  for (let i = 0; i < 100; i++) await run.emit({ kind: 'text', content: 'x'.repeat(200_000) })
  session.expiresAt = Date.now() + 3_600_000
  const slow = await SseClient.open(`${url}/sessions/s/stream`, { headers: { 'x-user': 'alice' } })
  slow.stall()
  // A second stream of the same identity shows when its time is over.
  const quick = await SseClient.open(`${url}/sessions/none/stream`, { headers: { 'x-user': 'alice' } })
  anHourLater(t)
  await quick.ended()
  slow.resume()
  await slow.ended()
  t.equal(slow.kinds.at(-1), 'stream_closing')
  t.ok(slow.events.length < 100, `${slow.events.length} of 101 events`)
  run.end()
})
