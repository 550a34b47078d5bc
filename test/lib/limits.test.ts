import Database from 'better-sqlite3'
import { test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import { type Provider, ProviderError, type ProviderEvent } from '../../index.ts'
import { delta, run, shown } from '../helpers/limited-run.ts'
import { LIMITS } from '../helpers/limits.ts'
import { openRegistry } from '../helpers/open-registry.ts'

test('an event above its limit ends the run as failed, with what came before', async (t) => {
  const events = await run(t, [delta('before'), { kind: 'status', text: 'x'.repeat(1_000) }, delta('after')], { eventBytes: 1_000 })
  t.match(events.map(({ kind }) => kind), ['stream_delta', 'text', 'complete'])
  t.match(events.at(-1), { reason: 'failed', success: false, error: { code: 'EVENT_TOO_LARGE' } })
  t.strictSame(shown(events), ['before'])
  const fits = await run(t, [{ kind: 'status', text: 'é'.repeat(400) }], { eventBytes: 1_000 })
  t.match(fits.at(-1), { reason: 'finished' })
  const bytes = await run(t, [{ kind: 'status', text: 'é'.repeat(600) }], { eventBytes: 1_000 })
  t.match(bytes.at(-1), { error: { code: 'EVENT_TOO_LARGE' } }, 'bytes, not characters')
})

test('a tool\'s input or result, or an agent\'s own event, above the limit costs itself: there is a note in its place, and the run goes on', async (t) => {
  const big = 'x'.repeat(2_000)
  const events = await run(t, [
    { kind: 'tool_use', toolId: '1', toolName: 'read', toolInput: { big } }, { kind: 'tool_update', toolId: '1', status: 'running', content: big },
    { kind: 'tool_result', toolId: '1', toolResult: { content: [{ big }], isError: true } },
    { kind: 'custom', name: 'image', data: { big } }, { kind: 'plan', entries: [big] }, delta('after')
  ], { eventBytes: 1_000 })
  const note = /^\[Left out: 2\d\d\d bytes are more than an event may have\.\]$/
  t.match(events.slice(0, 5), [{ kind: 'tool_use', toolName: 'read', toolInput: note }, { kind: 'tool_update', content: note }, { kind: 'tool_result', toolResult: { content: note, isError: true } }, { kind: 'custom', name: 'image', data: note }, { kind: 'plan', entries: [note] }])
  t.match(events.at(-1), { reason: 'finished' })
  const name = await run(t, [{ kind: 'tool_use', toolId: '1', toolName: big, toolInput: big }], { eventBytes: 1_000 })
  t.match(name.at(-1), { error: { code: 'EVENT_TOO_LARGE' } }, 'what else is too large ends the run')
})

test('a run has so many events and bytes, and what users saw of it is kept beyond that', async (t) => {
  function * flood (): Generator<ProviderEvent> { for (;;) yield delta('0123456789') }
  const many = await run(t, flood(), { maxEventsPerRun: 50 })
  t.equal(many.length, 52)
  t.match(many.at(-1), { reason: 'failed', error: { code: 'TOO_MANY_EVENTS' } })
  t.strictSame(shown(many.slice(0, 50)), shown(many.filter(({ kind }) => kind === 'text')))
  const large = await run(t, flood(), { maxBytesPerRun: 10_000 })
  t.match(large.at(-1), { reason: 'failed', error: { code: 'RUN_TOO_LARGE' } })
  t.ok(large.length > 50 && large.length < 150)
})

test('a long message is sealed as it is, and goes on as the next: no reader sees a word twice or none', async (t) => {
  const events = await run(t, ['one ', 'two ', 'three ', 'four '].map((word) => delta(word, 'm')), { messageBytes: 8 })
  t.match(events.map((event) => [event.kind, 'content' in event && event.content]), [
    ['stream_delta', 'one '], ['stream_delta', 'two '], ['text', 'one two '], ['stream_delta', 'three '], ['stream_delta', 'four '], ['text', 'three four '], ['complete']
  ])
  t.strictSame(shown(events), ['one two ', 'three four '])
})

test('the whole of a message that was sealed is what is left of it, named or not', async (t) => {
  for (const name of ['m', undefined]) {
    const whole: ProviderEvent = { kind: 'text', content: 'one two three four!', ...name !== undefined && { messageId: name } }
    const events = await run(t, [...['one ', 'two ', 'three ', 'four'].map((word) => delta(word, name)), whole], { messageBytes: 8 })
    t.strictSame(shown(events), ['one two ', 'three four!'], 'the last part is replaced')
    const exact = await run(t, [...['one ', 'two '].map((word) => delta(word, name)), { ...whole, content: 'one two ' }], { messageBytes: 8 })
    t.strictSame(shown(exact), ['one two '])
    const after = await run(t, [...['one ', 'two '].map((word) => delta(word, name)), whole], { messageBytes: 8 })
    t.strictSame(shown(after), ['one two three four!'], 'nothing had gone on yet: the part itself is replaced')
  }
})

test('the whole of a message that was sealed is what is left of it also behind the end of its stream', async (t) => {
  for (const name of ['m', undefined]) {
    const named = name !== undefined && { messageId: name }
    const words = ['one ', 'two ', 'three'].map((word) => delta(word, name))
    const events = await run(t, [...words, { kind: 'stream_end', ...named }, { kind: 'text', content: 'one two three!', ...named }], { messageBytes: 8 })
    t.strictSame(shown(events), ['one two ', 'three!'])
  }
})

test('what was seen of a sealed message is kept, also if its whole is shorter than that', async (t) => {
  const id = 'native-0123456789'
  for (const name of ['m', undefined]) {
    const whole: ProviderEvent = { kind: 'text', content: 'one', ...name !== undefined && { messageId: name } }
    // The last word is held back: it could be the start of the id.
    const words = ['one ', 'two ', 'three ', 'nat'].map((word) => delta(word, name))
    const events = await run(t, [{ kind: 'session_created', newSessionId: id }, ...words, whole, delta('next', name)], { messageBytes: 8 })
    t.strictSame(shown(events), ['one two ', 'three nat', 'next'])
    t.strictSame(shown(events.filter(({ kind }) => kind === 'text')), shown(events))
  }
})

test('a message that ends where it was sealed is over: the next is another', async (t) => {
  for (const name of ['m', undefined]) {
    const end: ProviderEvent = { kind: 'stream_end', ...name !== undefined && { messageId: name } }
    const events = await run(t, [delta('12345678', name), end, delta('next', name && 'n'), { kind: 'text', content: 'next!', ...name !== undefined && { messageId: 'n' } }], { messageBytes: 8 })
    t.strictSame(shown(events), ['12345678', 'next!'])
  }
})

test('a native id is not let out by a seal that falls into the middle of it', async (t) => {
  const id = 'native-0123456789'
  const text = `before ${id} after`
  for (let length = 1; length < 30; length += 3) {
    for (const size of [1, 5, 11]) {
      const parts = Array.from({ length: Math.ceil(text.length / size) }, (_, index) => delta(text.slice(index * size, (index + 1) * size), 'm'))
      const events = await run(t, [{ kind: 'session_created', newSessionId: id }, ...parts], { messageBytes: length })
      t.equal(shown(events).join(''), 'before s after', `sealed every ${length} bytes, said by ${size}`)
    }
  }
})

test('the whole of a message that was sealed goes on where the seal was, though ids in it were replaced by shorter ones', async (t) => {
  const id = 'native-0123456789'
  const words = [`one ${id} `, 'two ', `${id} three`]
  const whole: ProviderEvent = { kind: 'text', content: words.join(''), messageId: 'm' }
  const events = await run(t, [{ kind: 'session_created', newSessionId: id }, ...words.map((word) => delta(word, 'm')), whole], { messageBytes: 6 })
  t.equal(shown(events).join(''), 'one s two s three')
})

test('a complete is bounded: too much usage costs the run its success, a long error is cut', async (t) => {
  const usage = (length: number): ProviderEvent => ({ kind: 'complete', usage: { note: 'x'.repeat(length) } })
  t.match((await run(t, [usage(16_000)], {})).at(-1), { reason: 'finished', usage: { note: /^x+$/ } })
  const [complete, ...others] = await run(t, [usage(16_384)], {})
  t.match([complete, others], [{ kind: 'complete', reason: 'failed', error: { code: 'EVENT_TOO_LARGE' } }, []])
  t.notOk('usage' in complete!)
  const said = await run(t, [{ kind: 'complete', exitCode: 3, error: { code: 'C'.repeat(1_000), message: 'm'.repeat(1_000_000) } }], {})
  t.match(said.at(-1), { exitCode: 3, error: { code: `${'C'.repeat(127)}…`, message: `${'m'.repeat(4_095)}…` } })
  const thrown = await openRegistry(t, { async * run () { throw new ProviderError('m'.repeat(1_000_000)) } })
  const { runId } = await thrown.startRun({ sessionId: 's', content: 'go' })
  t.match(await thrown.abortRun({ sessionId: 's', runId }), { error: { message: `${'m'.repeat(4_095)}…` } })
})

test('a native id that is too long, or one too many, ends its run; the session goes on', async (t) => {
  const created = (newSessionId: string): ProviderEvent => ({ kind: 'session_created', newSessionId })
  t.match((await run(t, [created('x'.repeat(512)), delta('fine')], {})).at(-1), { reason: 'finished' })
  const long = await run(t, [created('x'.repeat(513)), delta('never')], {})
  t.match(long, [{ kind: 'complete', reason: 'failed', error: { code: 'NATIVE_ID_TOO_LONG' } }])
  const many = (count: number): ProviderEvent[] => Array.from({ length: count }, (_, index) => created(`native-id-${index}`))
  t.match((await run(t, [...many(32), created('native-id-0')], {})).at(-1), { reason: 'finished' }, 'the same one again is none more')
  t.match((await run(t, many(33), {})).at(-1), { reason: 'failed', error: { code: 'TOO_MANY_NATIVE_IDS' } })
})

test('a session in which an older version kept what is too long takes messages, for every provider', async (t) => {
  const database = new Database(':memory:')
  const store = sqliteStore({ database })
  t.teardown(() => database.close())
  const seen: Array<string | null> = []
  const agent: Provider = { async * run ({ providerSessionId }) { seen.push(providerSessionId); yield delta('fine') } }
  const registry = await openRegistry(t, agent, store)
  const play = async (): Promise<void> => {
    const { runId, cursor } = await registry.startRun({ sessionId: 's', content: 'go' })
    for await (const event of registry.subscribe('s', { after: cursor })) if (event.kind === 'complete' && event.runId === runId) break
  }
  await play()
  const keep = database.prepare("INSERT INTO agent_runs_provider_sessions (session_key, provider, provider_session_id) SELECT key, 'agent', ? FROM agent_runs_sessions")
  keep.run('(?'.repeat(20_000))
  for (let index = 0; index < 1_000; index++) keep.run(`native-id-${index}-${'('.repeat(400)}`)
  keep.run('y'.repeat(40_000))
  await play()
  t.strictSame(seen, [null, `native-id-999-${'('.repeat(400)}`])
})

test('approvals of a run that wait are bounded in sum, too', async (t) => {
  const refused: unknown[] = []
  const registry = await openRegistry(t, {
    async * run ({ requestPermission }) {
      const ask = (length: number) => requestPermission({ toolName: 'x', input: 'x'.repeat(length) })
      void ask(600).catch(() => {})
      await ask(600).catch((error: unknown) => refused.push(error))
      void ask(200).catch(() => {})
      yield delta('asked')
    }
  }, undefined, { limits: { ...LIMITS, pendingPermissionBytes: 1_000 } })
  const { cursor } = await registry.startRun({ sessionId: 's', content: 'go' })
  const kinds: string[] = []
  for await (const event of registry.subscribe('s', { after: cursor + 1 })) {
    kinds.push(event.kind)
    if (event.kind === 'complete') break
  }
  t.match(refused, [{ code: 'TOO_MANY_PERMISSIONS' }])
  t.strictSame(kinds.filter((kind) => kind === 'permission_request').length, 2)
})

test('what a session is created or changed with is bounded, for every caller', async (t) => {
  const registry = await openRegistry(t, { async * run () {} })
  const fits = { title: 't'.repeat(512), metadata: { note: 'é'.repeat(8_000) } }
  t.match(await registry.createSession({ id: 's', ...fits }), fits)
  for (const tooMuch of [{ title: 't'.repeat(513) }, { metadata: { note: 'é'.repeat(8_192) } }, { title: 7 as unknown as string }]) {
    await t.rejects(registry.createSession(tooMuch), { code: 'AGENT_RUNS_INVALID_REQUEST' })
    await t.rejects(registry.updateSession('s', tooMuch), { code: 'AGENT_RUNS_INVALID_REQUEST' })
  }
  t.match(await registry.getSession('s'), fits)
})

test('an owner that is undefined is refused everywhere: it must not come to mean everybody', async (t) => {
  const registry = await openRegistry(t, { async * run () {} })
  await registry.createSession({ id: 's', owner: 'alice' })
  const nobody = { owner: undefined as unknown as string }
  const calls: Array<() => Promise<unknown>> = [
    () => registry.createSession(nobody), () => registry.getSession('s', nobody), () => registry.listSessions(nobody), () => registry.updateSession('s', {}, nobody),
    () => registry.deleteSession('s', nobody), () => registry.startRun({ sessionId: 's', content: 'x', ...nobody }), () => registry.getRun('r', nobody), () => registry.listRuns('s', nobody),
    () => registry.getActiveRun('s', nobody), () => registry.isProcessing('s', nobody), () => registry.listRunningRuns(nobody), () => registry.abortRun({ sessionId: 's', ...nobody }),
    () => registry.answerPermission({ sessionId: 's', requestId: 'p', allow: true, ...nobody }), () => registry.getPermission('s', 'p', nobody),
    () => registry.replayEvents('s', 0, nobody).next(), () => registry.subscribe('s', nobody).next(), () => registry.history('s', nobody),
    () => registry.readHistory('s', nobody), () => registry.readEvents('s', nobody), () => registry.openSubscription({ sessionId: 's', after: 0, until: null, ...nobody })
  ]
  for (const call of calls) await t.rejects(call(), { code: 'AGENT_RUNS_INVALID_REQUEST', message: /"owner"/ }, String(call))
  t.match(await registry.getSession('s', { owner: null }), { owner: 'alice' })
})
