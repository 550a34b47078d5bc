/* What goes in comes out: native ids, and every JSON there is, to the byte. */
import assert from 'node:assert/strict'
import { pendingEvent } from '../../lib/protocol/event.ts'
import type { StoreTest } from './bench.ts'
import { accept, claimedOf, custom, drive, logOf, newRun, newSession, OWNER, sessionOf, text } from './driven-run.ts'

/** 64 objects and arrays in each other. */
const DEEP = Array.from({ length: 32 }).reduce<unknown>((inner) => ({ deeper: [inner] }), 'bottom')
const PROTO = JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":null},"toString":1}') as unknown

const AWKWARD: Record<string, unknown> = {
  'control characters': 'NUL\0 BEL\u0007 TAB\t CR\r LF\n CRLF\r\n DEL\u007f',
  'separators and marks': 'LS\u2028 PS\u2029 BOM\uFEFF ZWJ\u200d RTL\u202e',
  'lone surrogates': ['\ud800', 'x\udc00y', '\udfff\ud800'],
  'other planes': '💥 𝒳 👩‍👩‍👧 e\u0301 é',
  'quotes and slashes': '"\\\\" \\u0000 \' ` </script> <!-- %s $1 ?1 :a @b --',
  'names of prototypes': PROTO,
  numbers: [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 2 ** 53, 5e-324, 1.7976931348623157e308, 1e21, 0.1, -0.5],
  'depth of 64': DEEP,
  nothing: [null, '', [], {}, false, 0],
  'empty names': { '': { '': '' }, ' ': 1 },
  'names that are numbers': { b: 1, 2: 2, a: 3, 1: 4 }
}

export function fidelity (test: StoreTest): void {
  test('events are, to the byte, what was appended, however they are read', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    const appended = [run.claimed.message]
    for (const [what, data] of Object.entries(AWKWARD)) {
      appended.push(...await run.append(custom(data), pendingEvent('custom', { name: what, data }), text(JSON.stringify(data))))
    }
    for (const store of [one, other]) {
      const { events } = await logOf(store)
      assert.deepEqual(events.map(({ json }) => json), appended.map(({ json }) => json))
      assert.deepEqual(events, appended)
    }
    await run.end()
    const { events } = (await other.readHistory('s', OWNER, { before: run.seq, limit: 1_000 }))!
    assert.deepEqual(events, appended)
  })

  test('an event of a mebibyte is whole', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    const [big] = await run.append(custom('ü\u0000"'.repeat(1024 * 1024 / 8)))
    assert.ok(Buffer.byteLength(big!.json) >= 1024 * 1024)
    assert.equal((await logOf(other)).events[1]?.json, big!.json)
    await run.end()
    assert.equal((await other.readHistory('s', OWNER, { before: null, limit: 2 }))?.events[0]?.json, big!.json)
  })

  test('messages keep what they say, at once or after they waited', async (bench) => {
    const store = await bench.open()
    const content = JSON.stringify(AWKWARD) + Object.values(AWKWARD).flat().filter((value) => typeof value === 'string').join()
    const message = pendingEvent('text', { role: 'user', messageId: 'm\u2028\ud800', content })
    const start = await accept(store, 'now', { message })
    const run = await drive(store, 'other', { sessionId: 'other' })
    await accept(store, 'waits', { sessionId: 'other', message, options: AWKWARD })
    const waited = claimedOf(await run.end(), 'waits')
    for (const { json } of [start.promotion.events[0]!, waited.message]) assert.ok(json.endsWith(`,${message.fields.slice(1)}`))
    assert.equal(JSON.stringify(waited.options), JSON.stringify(AWKWARD))
  })

  test('metadata is, as JSON, what was given', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const created = await one.createSession(newSession('s', { title: 'Tea ☕ "x" \\ \' 💥', metadata: AWKWARD }))
    assert.equal(JSON.stringify(created?.metadata), JSON.stringify(AWKWARD))
    assert.equal(JSON.stringify((await sessionOf(other)).metadata), JSON.stringify(AWKWARD))
    assert.equal((await sessionOf(other)).title, 'Tea ☕ "x" \\ \' 💥')
    await one.updateSession('s', OWNER, { metadata: { again: AWKWARD } })
    assert.equal(JSON.stringify((await other.listSessions(OWNER, { rows: 1, bytes: 1, before: null })).sessions[0]?.metadata), JSON.stringify({ again: AWKWARD }))
  })

  test('what a caller does with an answer, or with what was given, changes nothing that is stored', async (bench) => {
    const store = await bench.open()
    const metadata = { list: [1] }
    const session = newSession('s', { metadata })
    const created = await store.createSession(session)
    const request = newRun('r', { options: { list: [1] } })
    const start = await store.startRun(request)
    assert.equal(start.outcome, 'accepted')
    metadata.list.push(2)
    ;(created!.metadata['list'] as number[]).push(3)
    const { events } = await logOf(store)
    events[0]!.json = '{}'
    events.pop()
    assert.deepEqual((await sessionOf(store)).metadata, { list: [1] })
    assert.notEqual((await logOf(store)).events[0]?.json, '{}')
  })

  test('the native id that was announced last is the one to resume, and all are remembered', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    for (const [provider, id] of [['echo', 'first'], ['echo', 'second'], ['other', 'third'], ['echo', 'first'], ['echo', 'first']] as const) {
      await one.setProviderSessionId('s', provider, id)
    }
    await one.setProviderSessionId('nowhere', 'echo', 'x')
    assert.equal(await one.getSession('nowhere', null), null)
    await run.end()
    const next = await drive(other, 'next')
    assert.equal(next.claimed.providerSessionId, 'first')
    assert.deepEqual([...new Set(next.claimed.providerSessionIds)].sort(), ['first', 'second', 'third'])
    await other.setProviderSessionId('s', 'echo', 'second')
    await accept(one, 'waiting', { provider: 'other' })
    await accept(one, 'last')
    const waiting = claimedOf(await next.end(), 'waiting')
    assert.equal(waiting.providerSessionId, 'third')
    const closed = await one.closeRun('waiting', { exitCode: 0, aborted: false, reason: 'finished' }, { promote: true })
    assert.equal(claimedOf(closed!.promotion, 'last').providerSessionId, 'second', 'as it is when the run starts')
    const elsewhere = await drive(one, 'elsewhere', { sessionId: 'other' })
    assert.deepEqual([elsewhere.claimed.providerSessionId, elsewhere.claimed.providerSessionIds], [null, []], 'ids are those of one session')
  })

  test('of the native ids of a session and provider the newest 32 are kept', async (bench) => {
    const store = await bench.open()
    await (await drive(store, 'r')).end()
    await store.setProviderSessionId('s', 'other', 'old')
    for (let index = 0; index < 40; index++) await store.setProviderSessionId('s', 'echo', `native-${index}`)
    await store.setProviderSessionId('s', 'echo', 'native-8')
    const { claimed } = await drive(store, 'next')
    const kept = ['old', ...Array.from({ length: 31 }, (_, index) => `native-${index + 9}`), 'native-8']
    assert.deepEqual([claimed.providerSessionId, [...claimed.providerSessionIds].sort()], ['native-8', kept.sort()])
  })
}
