/* Bodies that would be slow to parse or to check, whatever their bytes. */
import fc from 'fast-check'
import { test } from 'tap'
import { exceeds } from '../../lib/protocol/json.ts'
import { errorsIn } from '../../lib/protocol/validation-problem.ts'
import { buildApp } from '../helpers/build-app.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

/** How many values JSON has: itself, and what its arrays and objects hold; an empty one counts as if it held something. */
function valuesOf (value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const held = Object.values(value)
  return 1 + Math.max(0, held.length - 1) + held.reduce((sum: number, each) => sum + valuesOf(each), 0)
}

test('values are counted outside of strings, whatever those hold', (t) => {
  t.doesNotThrow(() => fc.assert(fc.property(fc.jsonValue({ stringUnit: 'binary' }), fc.constantFrom('', '\\', '"', '\\"', ',', '[{,'), (value, text) => {
    const json = JSON.stringify([value, text])
    const values = 1 + valuesOf([value, text])
    return !exceeds(json, { values, depth: Infinity }) && exceeds(json, { values: values - 1, depth: Infinity })
  }), { numRuns: 2_000 }))
  t.equal(exceeds('"never closed, [', { values: 1, depth: 0 }), false)
  t.end()
})

test('a body of too many values is refused by a code on every route, one of much text is not', async (t) => {
  const app = await buildApp(t, { providers: { agent: scriptedProvider() }, limits: { bodyValues: 50 } })
  const many = `[${'0,'.repeat(60)}0]`
  const bodies: Record<string, string> = {
    '/sessions': `{"metadata":{"x":${many}}}`,
    '/sessions/s/messages': `{"content":"x","options":{"x":${many}}}`,
    '/ai-sdk': `{"id":"s","messages":${many}}`,
    '/ag-ui': `{"threadId":"s","runId":"r","messages":${many}}`
  }
  for (const [url, payload] of Object.entries(bodies)) {
    const response = await app.inject({ method: 'POST', url, headers: { 'content-type': 'application/json' }, payload })
    t.match([response.statusCode, response.json()], [413, { code: 'BODY_TOO_COMPLEX' }], url)
  }
  const prose = await app.inject({ method: 'POST', url: '/sessions', payload: { metadata: { text: 'a, b [c] {d}, '.repeat(500) } } })
  t.equal(prose.statusCode, 201)
})

test('a message is bounded in bytes and parts, whichever way it comes', async (t) => {
  const app = await buildApp(t, { providers: { agent: scriptedProvider() }, limits: { contentBytes: 10_000 } })
  const text = (length: number) => 'é'.repeat(length / 2)
  const send = async (content: unknown): Promise<unknown> => {
    const response = await app.inject({ method: 'POST', url: '/sessions/s/messages', payload: { content, onBusy: 'queue' } })
    return response.json<{ code?: string }>().code ?? response.statusCode
  }
  t.strictSame([await send(text(9_000)), await send(text(10_000)), await send([{ type: 'image', mimeType: 'image/png', data: 'A'.repeat(10_000) }])], [202, 'MESSAGE_TOO_LARGE', 'MESSAGE_TOO_LARGE'])
  const tooMany = await app.inject({ method: 'POST', url: '/sessions/s/messages', payload: { content: Array.from({ length: 1_001 }, () => ({ type: 'text', text: 'x' })) } })
  t.match(tooMany.json(), { code: 'INVALID_REQUEST', message: 'body/content must not have more than 1000 items' })
  await t.rejects(app.agentRuns.startRun({ sessionId: 's', content: Array.from({ length: 1_001 }, () => ({ type: 'text', text: 'x' })) }), { message: /at most 1000 parts/ })
  const agUi = await app.inject({ method: 'POST', url: '/ag-ui', payload: { threadId: 's', runId: 'r', messages: [{ id: 'm', role: 'user', content: Array.from({ length: 1_001 }, () => ({ type: 'text', text: 'x' })) }] } })
  t.match(agUi.json(), { code: 'INVALID_REQUEST', message: /at most 1000 parts/ })
  const chat = await app.inject({ method: 'POST', url: '/ai-sdk', payload: { id: 'chat', messages: [{ id: 'm', role: 'user', parts: [{ type: 'text', text: text(10_000) }] }] } })
  t.match(chat.json(), { code: 'MESSAGE_TOO_LARGE' })
  const parts = await app.inject({ method: 'POST', url: '/ai-sdk', payload: { id: 'chat', messages: [{ id: 'm', role: 'user', parts: Array.from({ length: 1_001 }, () => ({ type: 'text', text: 'x' })) }] } })
  t.match(parts.json(), { code: 'INVALID_REQUEST', message: /1000 parts/ })
  t.equal(await app.agentRuns.getSession('chat'), null)
})

test('what is wrong with a long array is looked for at its head, and found behind it too', (t) => {
  const looked: number[] = []
  const errorsOf = (value: unknown): string[] => {
    const { items } = value as { items: number[] }
    looked.push(items.length)
    return items.flatMap((item, index) => item === 0 ? [`/items/${index}`] : [])
  }
  const bad = (at: number, length = 5_000): { items: number[] } => ({ items: Array.from({ length }, (_, index) => index === at ? 0 : 1) })
  t.strictSame(errorsIn(bad(3), errorsOf), ['/items/3'])
  t.strictSame(errorsIn(bad(4_000), errorsOf), ['/items/4000'])
  t.strictSame(looked, [1_001, 1_001, 5_000])
  t.strictSame(errorsIn('text', (value) => [value]), ['text'])
  t.end()
})
