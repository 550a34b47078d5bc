/* What is somebody else's does not exist, whatever is asked of it over a WebSocket. */
import { test, type Test } from 'tap'
import type { AgentRunsOptions } from '../../index.ts'
import type { RawSocket, Told } from '../helpers/raw-socket.ts'
import { byHeader, serveSockets } from '../helpers/serve-sockets.ts'

/** The id of no run, and of no approval. */
const NONE = '00000000-0000-4000-8000-000000000000'

/** Every message, on a session, its run, and the approval for which that waits; and what ends the answer to it. */
const MESSAGES: Record<string, (sessionId: string, runId: string, requestId: string) => object> = {
  subscribe: (sessionId) => ({ type: 'chat.subscribe', sessions: [{ sessionId, lastSeq: 0 }] }),
  'subscribe to what is new': (sessionId) => ({ type: 'chat.subscribe', sessions: [{ sessionId, lastSeq: 'latest' }] }),
  'subscribe from a cursor': (sessionId) => ({ type: 'chat.subscribe', sessions: [{ sessionId, lastSeq: 1 }] }),
  unsubscribe: (sessionId) => ({ type: 'chat.unsubscribe', sessions: [{ sessionId }] }),
  send: (sessionId) => ({ type: 'chat.send', sessionId, content: 'hello', requestId: 'mine' }),
  queue: (sessionId) => ({ type: 'chat.send', sessionId, content: 'hello', onBusy: 'queue', requestId: 'mine' }),
  interrupt: (sessionId) => ({ type: 'chat.send', sessionId, content: 'hello', onBusy: 'interrupt', idempotencyKey: 'hers', requestId: 'mine' }),
  abort: (sessionId) => ({ type: 'chat.abort', sessionId, requestId: 'mine' }),
  'abort the run': (sessionId, runId) => ({ type: 'chat.abort', sessionId, runId, requestId: 'mine' }),
  approve: (sessionId, _, requestId) => ({ type: 'chat.permission-response', sessionId, requestId, allow: true }),
  deny: (sessionId, _, requestId) => ({ type: 'chat.permission-response', sessionId, requestId, allow: false, message: 'no', optionId: 'x' })
}

/** Alice's session `hers` with a run that waits for an approval and another message that waits; and mallory. */
async function build (t: Test, options: Partial<AgentRunsOptions> = {}) {
  const server = await serveSockets(t, { identify: byHeader, createOnMessage: false, ...options })
  const { app, agent, peerOf } = server
  await app.agentRuns.createSession({ id: 'hers', owner: 'alice' })
  const { runId } = await app.agentRuns.startRun({ sessionId: 'hers', owner: 'alice', content: 'secret', idempotencyKey: 'hers' })
  const run = await agent.next()
  const permission = run.context.requestPermission({ toolName: 'shell', input: 'secret' })
  permission.catch(() => {})
  await app.agentRuns.startRun({ sessionId: 'hers', owner: 'alice', content: 'secret, too', onBusy: 'queue' })
  const alice = await peerOf('alice')
  await alice.ask({ type: 'chat.subscribe', sessions: [{ sessionId: 'hers' }] }, 'permission_request')
  const requestId = String(alice.told.find(({ kind }) => kind === 'permission_request')!['requestId'])
  return { ...server, runId, requestId, run, alice, mallory: await peerOf('mallory') }
}

/** All that is said to a message: what else was asked for before it is answered before it, and opening comes last. */
async function answer (client: RawSocket, message: object): Promise<Told[]> {
  client.told.length = 0
  client.json(message)
  await client.until(({ told }) => told.length > 0)
  await client.ask({ type: 'chat.abort', sessionId: 'end-of-it' })
  return client.told.filter(({ sessionId }) => sessionId !== 'end-of-it')
}

const alike = (told: Told[], ...ids: string[]): string => ids.reduce((text, id) => text.replaceAll(id, 'ID'), JSON.stringify(told))

for (const [name, authorize] of [['without authorize', undefined], ['with an authorize that allows everything', () => true], ['with one that allows what exists', (_: unknown, { action, session }: { action: string, session: unknown }) => action === 'connect' || session !== null]] as const) {
  test(`${name}, each answer about somebody else's session is that about one that nobody has, to the byte`, async (t) => {
    const { app, runId, requestId, run, alice, mallory } = await build(t, authorize === undefined ? {} : { authorize })
    const before = JSON.stringify([await app.agentRuns.getSession('hers'), await app.agentRuns.listRuns('hers')])
    const toldBefore = alice.told.length
    for (const [what, message] of Object.entries(MESSAGES)) {
      // What does not exist yet is waited for, unless that is not allowed: see docs/security.md.
      const waits = what.startsWith('subscribe') && !name.endsWith('exists')
      const theirs = await answer(mallory, message('hers', runId, requestId))
      const none = await answer(mallory, message('none', NONE, NONE))
      if (waits) t.match([theirs, none], [[{ kind: 'protocol_error', code: 'SESSION_NOT_FOUND' }], [{ kind: 'chat_subscribed', lastSeq: 0 }]], what)
      else t.equal(alike(theirs, 'hers', runId, requestId), alike(none, 'none', NONE), what)
      if (!waits && what !== 'unsubscribe') t.match(theirs, [{ kind: 'protocol_error', code: 'SESSION_NOT_FOUND', error: 'Session "hers" does not exist.', sessionId: 'hers' }], what)
      if (waits) await answer(mallory, { type: 'chat.unsubscribe', sessions: [{ sessionId: 'none' }] })
    }
    t.equal(JSON.stringify([await app.agentRuns.getSession('hers'), await app.agentRuns.listRuns('hers')]), before, 'and nothing has happened to it')
    t.equal(run.context.signal.aborted, false)
    t.equal(alice.told.length, toldBefore)
  })
}

test('nothing of a session reaches a stranger who has tried everything', async (t) => {
  const { run, runId, requestId, alice, mallory } = await build(t)
  for (const message of Object.values(MESSAGES)) mallory.json(message('hers', runId, requestId))
  await mallory.ask({ type: 'chat.abort', sessionId: 'end-of-it', requestId: 'end' })
  await run.emit({ kind: 'text', content: 'a secret of the agent' })
  run.end()
  await alice.until(({ kinds }) => kinds.includes('complete'))
  await mallory.ask({ type: 'chat.unsubscribe', sessions: [{ sessionId: 'hers' }] }, 'chat_unsubscribed')
  t.notMatch(JSON.stringify(mallory.told), /secret|alice/)
  t.strictSame([...new Set(mallory.codes)].sort(), ['SESSION_NOT_FOUND', 'chat_unsubscribed'])
})

test('a run and an approval of somebody else\'s are none of one\'s own session either', async (t) => {
  const { app, runId, requestId, run, mallory } = await build(t)
  await app.agentRuns.createSession({ id: 'mine', owner: 'mallory' })
  for (const [what, code] of [['abort the run', 'RUN_NOT_FOUND'], ['approve', 'PERMISSION_NOT_FOUND'], ['deny', 'PERMISSION_NOT_FOUND']] as const) {
    const theirs = await answer(mallory, MESSAGES[what]!('mine', runId, requestId))
    t.match(theirs, [{ code, sessionId: 'mine' }])
    t.equal(alike(theirs, runId, requestId), alike(await answer(mallory, MESSAGES[what]!('mine', NONE, NONE)), NONE))
  }
  t.equal(run.context.signal.aborted, false)
})

test('where messages create sessions, one to a session of somebody else does nothing, and the same key there is nobody\'s', async (t) => {
  const { app, mallory } = await build(t, { createOnMessage: true })
  for (const what of ['send', 'queue', 'interrupt']) {
    t.strictSame(await answer(mallory, MESSAGES[what]!('hers', '', '')), [{ kind: 'protocol_error', code: 'SESSION_NOT_FOUND', error: 'Session "hers" does not exist.', sessionId: 'hers', requestId: 'mine' }])
  }
  t.match(await app.agentRuns.getSession('hers'), { owner: 'alice' })
  t.equal((await app.agentRuns.listRuns('hers')).runs.length, 2)
  await mallory.ask(MESSAGES['send']!('his', '', ''), 'chat_accepted')
  t.match(await app.agentRuns.getSession('his'), { owner: 'mallory' })
})

test('a session that was deleted is gone to its owner, and to a stranger was never there', async (t) => {
  const { app, runId, requestId, alice, mallory } = await build(t, { authorize: () => true })
  await app.agentRuns.deleteSession('hers')
  await alice.until(({ kinds }) => kinds.includes('session_deleted'))
  for (const [what, message] of Object.entries(MESSAGES)) {
    const hers = await answer(alice, message('hers', runId, requestId))
    if (what === 'unsubscribe') t.strictSame(hers, [{ kind: 'chat_unsubscribed', sessionId: 'hers' }])
    else t.match(hers, [{ kind: 'protocol_error', code: 'SESSION_DELETED', error: 'Session "hers" was deleted.', sessionId: 'hers' }], what)
    const theirs = await answer(mallory, message('hers', runId, requestId))
    if (what.startsWith('subscribe')) t.match(theirs, [{ code: 'SESSION_NOT_FOUND' }])
    else t.equal(alike(theirs, 'hers', runId, requestId), alike(await answer(mallory, message('none', NONE, NONE)), 'none', NONE), what)
  }
})

test('a session that is waited for, and comes to be somebody else\'s, is let go with nothing of it', async (t) => {
  const { app, agent, mallory, peerOf } = await build(t, { limits: { subscribersPerSession: 1 } })
  await mallory.ask({ type: 'chat.subscribe', sessions: [{ sessionId: 'later' }] }, 'chat_subscribed')
  await app.agentRuns.createSession({ id: 'later', owner: 'alice' })
  await app.agentRuns.startRun({ sessionId: 'later', owner: 'alice', content: 'secret' })
  ;(await agent.next()).end()
  await mallory.until(({ kinds }) => kinds.includes('stream_closing'))
  t.strictSame(mallory.told.map(({ kind, sessionId, lastSeq, retryMs }) => [kind, sessionId, lastSeq, retryMs]), [['chat_subscribed', 'later', 0, undefined], ['stream_closing', 'later', undefined, 1_000]])
  const alice = await peerOf('alice')
  await alice.ask({ type: 'chat.subscribe', sessions: [{ sessionId: 'later' }] }, 'complete')
  t.equal(mallory.told.length, 2)
  t.match(await answer(mallory, { type: 'chat.subscribe', sessions: [{ sessionId: 'later' }] }), [{ code: 'SESSION_NOT_FOUND' }], 'and that it is full is not for strangers to know')
})

test('a session that is waited for is asked about once more when it is there', async (t) => {
  const asked: unknown[] = []
  const { app, agent, peerOf } = await build(t, {
    createOnMessage: true,
    authorize: (_, { action, session }) => {
      if (session?.id !== 'hers' && action === 'read') asked.push(session?.id ?? null)
      return session?.id !== 'refused'
    }
  })
  const alice = await peerOf('alice')
  alice.json({ type: 'chat.subscribe', sessions: [{ sessionId: 'refused' }, { sessionId: 'granted' }] })
  await alice.until(({ told }) => told.length === 2)
  for (const sessionId of ['refused', 'granted']) {
    await app.agentRuns.startRun({ sessionId, owner: 'alice', content: 'x' })
    ;(await agent.next()).end()
  }
  await alice.until(({ kinds }) => kinds.includes('complete') && kinds.includes('stream_closing'))
  t.strictSame(alice.told.filter(({ sessionId }) => sessionId === 'refused').map(({ kind }) => kind), ['chat_subscribed', 'stream_closing'])
  t.strictSame(alice.told.filter(({ sessionId }) => sessionId === 'granted').map(({ kind }) => kind), ['chat_subscribed', 'text', 'complete'])
  t.strictSame(asked, [null, null, 'refused', 'granted'])
})
