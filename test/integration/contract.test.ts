/* What every transport promises of a session that is followed: one table of tests, held against each. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { test, type Test } from 'tap'
import type { AgentRunsOptions, SessionState } from '../../index.ts'
import { echo } from '../../providers/echo/echo.ts'
import { serveApp } from '../helpers/build-app.ts'
import { type Follower, TRANSPORTS } from '../helpers/followers.ts'
import { random } from '../helpers/random.ts'
import { postJson } from '../helpers/read-sse.ts'
import { scriptedProvider, type ScriptedRun } from '../helpers/scripted-provider.ts'

const MARKER = 'MARKER-51c0-native'
process.env['ECHO_NATIVE_MARKER'] = MARKER

const upTo = (last: number, first = 1): number[] => Array.from({ length: last - first + 1 }, (_, index) => first + index)

/** Resolves once the session `s` is so. */
async function sessionIs (app: FastifyInstance, so: (session: SessionState) => boolean): Promise<void> {
  while (!so((await app.agentRuns.getSession('s'))!)) await nextTurn()
}

/** A server whose one provider the test drives; `start` posts a message into the session `s`. */
async function serve (t: Test, options: Partial<AgentRunsOptions> = {}) {
  const agent = scriptedProvider()
  const { app, url } = await serveApp(t, { providers: { agent }, ...options })
  const start = async (content = 'go'): Promise<ScriptedRun> => {
    await postJson(`${url}/sessions/s/messages`, { content })
    return agent.next()
  }
  /** A run of so many events, its message and its `complete` included. */
  const play = async (events: number): Promise<void> => {
    const run = await start()
    for (let i = 2; i < events; i++) await run.emit({ kind: 'text', content: `${i}` })
    run.end()
    await sessionIs(app, ({ isProcessing }) => !isProcessing)
  }
  return { app, url, agent, start, play }
}

function cutAll (followers: Follower[]): void {
  for (const follower of followers) follower.cut()
}

for (const { name, follow } of TRANSPORTS) {
  test(`${name}: a client that joins at any moment of a burst, from any cursor, gets everything after it once and in order`, async (t) => {
    const { url, start } = await serve(t)
    const { below, chance } = random(7)
    const run = await start()
    const joining: Array<{ after: number, follower: Promise<Follower> }> = []
    let seq = 1
    while (joining.length < 60) {
      for (let burst = below(30); burst > 0; burst--, seq++) void run.emit({ kind: 'text', content: 'x'.repeat(below(3_000)) })
      // Sometimes within the burst, sometimes when part or all of it is through.
      if (chance(0.5)) await run.emit({ kind: 'text', content: 'through' }).then(() => { seq++ })
      const after = chance(0.3) ? 0 : below(Math.max(1, seq - 60))
      joining.push({ after, follower: follow(url, 's', after) })
    }
    await run.emit({ kind: 'text', content: 'last' })
    run.end()
    const last = seq + 2
    for (const { after, follower } of joining) {
      const client = await (await follower).until(({ seqs }) => seqs.at(-1) === last)
      // A cursor that had not come to be yet is answered by everything.
      const start = client.kinds.includes('gap') ? 0 : after
      t.strictSame(client.seqs, upTo(last, start + 1))
      t.strictSame(client.kinds[0], 'chat_subscribed')
      client.cut()
    }
  })

  test(`${name}: at every cursor there is to resume from, exactly the rest follows, replayed and live`, async (t) => {
    const { url, play, start } = await serve(t)
    await play(6)
    const run = await start()
    await run.emit({ kind: 'stream_delta', messageId: 'm', content: 'a' }, { kind: 'stream_delta', messageId: 'm', content: 'b' }, { kind: 'status', text: 'thinking' })
    const early = await follow(url, 's')
    await early.until(({ seqs }) => seqs.at(-1) === 10)
    const clients = await Promise.all(upTo(10, 0).map((after) => follow(url, 's', after)))
    await Promise.all(clients.map((client, after) => client.until(({ kinds, seqs }) => kinds.length > 0 && (after === 10 || seqs.at(-1) === 10))))
    await run.emit({ kind: 'text', messageId: 'm', content: 'ab' })
    run.end()
    await Promise.all([early, ...clients].map((client) => client.until(({ seqs }) => seqs.at(-1) === 12)))
    for (const [after, client] of clients.entries()) {
      t.strictSame(client.events, early.events.slice(after), `after ${after}`)
      t.match(client.frames[0], { kind: 'chat_subscribed', sessionId: 's', isProcessing: true, cursor: after, lastSeq: 10, compactedThrough: 0 })
      t.equal(client.frames.length, 1 + 12 - after)
    }
    cutAll([early, ...clients])
  })

  test(`${name}: a cursor beyond the log is answered by a gap and everything`, async (t) => {
    const { url, play } = await serve(t)
    await play(4)
    const client = await (await follow(url, 's', 77)).until(({ seqs }) => seqs.at(-1) === 4)
    t.strictSame(client.kinds, ['chat_subscribed', 'gap', 'text', 'text', 'text', 'complete'])
    t.match(client.frames[0], { cursor: 0, lastSeq: 4 })
    t.strictSame(client.frames[1], { kind: 'gap', sessionId: 's', reason: 'ahead', from: 5, to: 77 })
    client.cut()
  })

  test(`${name}: who comes back from within what was compacted is told, and goes on with the whole messages`, async (t) => {
    const { app, url, start } = await serve(t, { retention: { completedRunMs: 0 } })
    const run = await start()
    for (const content of ['a', 'b', 'c']) await run.emit({ kind: 'stream_delta', messageId: 'm', content })
    run.end()
    await sessionIs(app, ({ compactedThrough }) => compactedThrough >= 4)
    const [fresh, resumed] = await Promise.all([follow(url, 's'), follow(url, 's', 3)])
    await Promise.all([fresh, resumed].map((client) => client.frame('complete')))
    t.strictSame(fresh.kinds, ['chat_subscribed', 'text', 'text', 'complete'], 'who held nothing misses nothing')
    t.strictSame(resumed.kinds, ['chat_subscribed', 'gap', 'text', 'complete'])
    t.match(resumed.frames[0], { cursor: 3, lastSeq: 6, compactedThrough: 4 })
    t.strictSame(resumed.frames[1], { kind: 'gap', sessionId: 's', reason: 'compacted', from: 4, to: 4 })
    t.strictSame(resumed.seqs, [5, 6])
    cutAll([fresh, resumed])
  })

  test(`${name}: "latest" gives only what is new`, async (t) => {
    const { url, play } = await serve(t)
    await play(4)
    const client = await follow(url, 's', 'latest')
    t.match(await client.frame('chat_subscribed'), { cursor: 4, lastSeq: 4 })
    await play(3)
    await client.frame('complete')
    t.strictSame(client.seqs, [5, 6, 7])
    client.cut()
  })

  test(`${name}: a session that does not exist yet is waited for, and reading creates nothing`, async (t) => {
    const { app, url, start } = await serve(t)
    const early = await Promise.all([follow(url, 's'), follow(url, 's', 'latest'), follow(url, 's', 9)])
    for (const client of early) {
      t.strictSame(await client.frame('chat_subscribed'), {
        kind: 'chat_subscribed', sessionId: 's', isProcessing: false, runId: null, waiting: [], cursor: 0, lastSeq: 0, compactedThrough: 0, pendingPermissions: [], morePendingPermissions: []
      })
    }
    t.strictSame([await app.agentRuns.getSession('s'), await app.agentRuns.listSessions()], [null, { sessions: [], hasMore: false }])
    const run = await start()
    await run.emit({ kind: 'text', content: 'here I am' })
    run.end()
    await Promise.all(early.map((client) => client.frame('complete')))
    const rest = ['text', 'text', 'complete']
    t.strictSame(early.map(({ kinds }) => kinds), [['chat_subscribed', ...rest], ['chat_subscribed', ...rest], ['chat_subscribed', 'gap', ...rest]])
    cutAll(early)
  })

  test(`${name}: a run goes on without clients, and one that comes back has missed nothing`, async (t) => {
    const { url, start, app } = await serve(t)
    const run = await start()
    const client = await follow(url, 's')
    await run.emit({ kind: 'stream_delta', messageId: 'm', content: 'one ' })
    await client.until(({ seqs }) => seqs.at(-1) === 2)
    client.cut()
    await run.emit({ kind: 'stream_delta', messageId: 'm', content: 'two ' })
    t.notOk(run.context.signal.aborted)
    run.end()
    await sessionIs(app, ({ isProcessing }) => !isProcessing)
    const again = await follow(url, 's', 2)
    t.match(await again.frame('complete'), { reason: 'finished', success: true })
    t.match(again.events.map((event) => [event.seq, event.kind, 'content' in event ? event.content : '']), [
      [3, 'stream_delta', 'two '], [4, 'text', 'one two '], [5, 'complete', '']
    ])
    again.cut()
  })

  test(`${name}: each run has one complete and nothing behind it, and the stream goes on across runs`, async (t) => {
    const { url } = await serveApp(t, { providers: { echo: echo({ delayMs: 0 }) } })
    const client = await follow(url, 's')
    const modes = ['ok', 'doubleTerminal', 'emitAfter', 'noTerminal', 'throwSync', 'throwAfter', 'unserialisable', 'burst']
    const runIds: string[] = []
    for (const [index, mode] of modes.entries()) {
      const { body } = await postJson(`${url}/sessions/s/messages`, { content: JSON.stringify({ demo: { mode, n: 4 } }), onBusy: 'queue' })
      runIds.push(body['runId'] as string)
      // Some wait for the one before.
      if (index % 2 === 1) await client.until(({ events }) => events.some(({ kind, runId }) => kind === 'complete' && runId === runIds.at(-1)))
    }
    const { body } = await postJson(`${url}/sessions/s/messages`, { content: '{"demo":{"mode":"ignoreAbort","n":2}}' })
    runIds.push(body['runId'] as string)
    await client.until(({ events }) => events.filter(({ runId }) => runId === runIds.at(-1)).length > 2)
    await postJson(`${url}/sessions/s/abort`, {})
    await client.until(({ kinds }) => kinds.filter((kind) => kind === 'complete').length === runIds.length)
    // Whatever the deaf one says now would come before what follows.
    const { body: last } = await postJson(`${url}/sessions/s/messages`, { content: 'last' })
    runIds.push(last['runId'] as string)
    await client.until(({ kinds }) => kinds.filter((kind) => kind === 'complete').length === runIds.length)
    t.strictSame(client.seqs, upTo(client.seqs.length))
    t.strictSame([...new Set(client.events.map(({ runId }) => runId))], runIds, 'one after the other')
    for (const runId of runIds) {
      const kinds = client.events.filter((event) => event.runId === runId).map(({ kind }) => kind)
      t.strictSame([kinds[0], kinds.indexOf('complete')], ['text', kinds.length - 1])
    }
    t.strictSame(client.kinds.filter((kind) => kind !== 'text' && kind !== 'complete' && !kind.startsWith('stream_')), ['chat_subscribed'])
    client.cut()
  })

  test(`${name}: no byte on the wire is of a native id, or of an error that is not for clients`, async (t) => {
    const { url } = await serveApp(t, { providers: { echo: echo({ delayMs: 0 }) } })
    const live = await follow(url, 's')
    for (const [index, mode] of ['leak', 'throwAfter', 'throwSync', 'emitAfter'].entries()) {
      await postJson(`${url}/sessions/s/messages`, { content: JSON.stringify({ demo: { mode, n: 12, nonce: 'n' } }) })
      await live.until(({ kinds }) => kinds.filter((kind) => kind === 'complete').length > index)
    }
    const replayed = await (await follow(url, 's')).until(({ seqs }) => seqs.length === live.seqs.length)
    t.strictSame(replayed.events, live.events)
    for (const { raw } of [live, replayed]) {
      t.match(raw, '@@n:12@@', 'this is what came')
      t.notMatch(raw, MARKER)
      t.notMatch(raw, 'echo-native')
    }
    cutAll([live, replayed])
  })
}
