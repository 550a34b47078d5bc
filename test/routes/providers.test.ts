/* What there is to run, and sessions that agents have kept. */
import { test, type Test } from 'tap'
import Type from 'typebox'
import { type AgentRunsOptions, type Provider, ProviderError, type RunContext } from '../../index.ts'
import { acp } from '../../providers/acp/index.ts'
import { openai } from '../../providers/openai/index.ts'
import { serveApp } from '../helpers/build-app.ts'
import { postJson, SseClient } from '../helpers/read-sse.ts'
import { acpScript, NATIVE } from '../helpers/scripted-acp.ts'

/** An agent that has kept sessions, and says which one it goes on with. */
const keeping = (kept: string[] | Error = ['native-0001', 'native-0002']): Provider => ({
  async * run ({ providerSessionId }: RunContext) {
    yield { kind: 'session_created', newSessionId: providerSessionId ?? 'native-new' }
    yield { kind: 'text', content: `I go on with ${providerSessionId}` }
  },
  optionsSchema: Type.Object({ model: Type.Optional(Type.Literal('a')) }),
  abilities: () => ({ images: true }),
  async listSessions () {
    if (kept instanceof Error) throw kept
    return kept.map((id) => ({ id, title: `About ${id}`, cwd: '/srv' }))
  }
})

async function serve (t: Test, options: Partial<AgentRunsOptions> = {}) {
  const { app, url } = await serveApp(t, { providers: { agent: keeping() }, ...options })
  const get = async (path: string) => {
    const response = await fetch(url + path)
    return { status: response.status, body: await response.json() as Record<string, unknown> }
  }
  return { app, url, get, adopt: (id: string, more: object = {}) => postJson(`${url}/sessions`, { id: `of-${id}`, providerSession: { provider: 'agent', id }, ...more }) }
}

test('providers are listed with their options and what they can do', async (t) => {
  const { get } = await serve(t, {
    providers: { agent: keeping(), model: openai({ model: 'm', models: ['m', 'n'], clientBody: { temperature: Type.Number() } }), acp: acp({ command: 'x', modes: ['plan'] }) }, defaultProvider: 'model'
  })
  const plain = await serve(t, { providers: { plain: { async * run () {} } } })
  t.match((await plain.get('/providers')).body['providers'], [{ name: 'plain', options: { type: 'object', additionalProperties: false } }], 'which takes none')
  const { status, body } = await get('/providers')
  t.equal(status, 200)
  t.match(body['providers'], [
    { name: 'agent', isDefault: false, options: { properties: { model: { const: 'a' } } }, abilities: { images: true, keptSessions: true } },
    { name: 'model', isDefault: true, options: { properties: { model: {}, body: { properties: { temperature: { type: 'number' } } } } }, abilities: { images: true, resume: false, keptSessions: false } },
    { name: 'acp', isDefault: false, options: { properties: { mode: {} } }, abilities: { approvals: true } }
  ])
})

test('nobody takes over sessions of agents unless the host allows it, and then whom it allows', async (t) => {
  const closed = await serve(t)
  t.match(await closed.get('/providers/agent/sessions'), { status: 403, body: { code: 'FORBIDDEN' } })
  t.match(await closed.adopt('native-0001'), { status: 403 })
  const asked: string[] = []
  const choosy = await serve(t, { adoptSessions: true, authorize: (_, { action }) => asked.push(action) > 0 && action !== 'adopt' })
  t.match(await choosy.get('/providers/agent/sessions'), { status: 403 })
  t.match(await choosy.adopt('native-0001'), { status: 403 })
  t.strictSame(asked, ['list', 'adopt', 'create', 'adopt'])
})

test('a session goes on with what the agent has kept, once, and its id is not shown again', async (t) => {
  const { url, get, adopt } = await serve(t, { adoptSessions: true })
  t.match(await get('/providers/agent/sessions'), { status: 200, body: { sessions: [{ id: 'native-0001', title: 'About native-0001', cwd: '/srv' }, { id: 'native-0002' }] } })
  t.match((await get('/providers/agent/sessions?limit=1')).body['sessions'], [{ id: 'native-0001' }])
  const created = await adopt('native-0001')
  t.match(created, { status: 201, body: { id: 'of-native-0001', provider: 'agent' } })
  t.notMatch(JSON.stringify(created.body).replaceAll('of-native-0001', ''), /native-0001/)
  t.match(await adopt('native-0001', { id: 'again' }), { status: 409, body: { code: 'PROVIDER_SESSION_TAKEN' } })
  t.match((await get('/providers/agent/sessions')).body, { sessions: [{ id: 'native-0002' }] })
  await postJson(`${url}/sessions`, { id: 'mine', providerSession: { provider: 'agent', id: 'native-0002' } })
  const client = await SseClient.open(`${url}/sessions/mine/stream`)
  await postJson(`${url}/sessions/mine/messages`, { content: 'go' })
  await client.until(({ kinds }) => kinds.includes('complete'))
  t.match(client.events, [{}, { kind: 'text', content: 'I go on with mine' }, { kind: 'complete', reason: 'finished' }])
  t.notMatch(client.raw, /native-0002/)
})

test('an invalid provider session, and a provider that cannot list, are refused', async (t) => {
  const { url, get } = await serve(t, { adoptSessions: true, providers: { agent: keeping(), broken: keeping(new ProviderError('The disk is gone.')), failing: keeping(new Error('secret')), plain: { async * run () {} } }, defaultProvider: 'agent' })
  const post = (body: object) => postJson(`${url}/sessions`, body)
  t.match(await post({ providerSession: { provider: 'nobody', id: 'x' } }), { status: 400, body: { code: 'UNSUPPORTED_PROVIDER' } })
  t.match(await post({ provider: 'plain', providerSession: { provider: 'agent', id: 'x' } }), { status: 400, body: { code: 'INVALID_REQUEST' } })
  for (const id of ['', 'x'.repeat(513), 7]) t.match(await post({ providerSession: { provider: 'agent', id } }), { status: 400, body: { code: 'INVALID_REQUEST' } }, String(id))
  t.match(await get('/providers/nobody/sessions'), { status: 400, body: { code: 'UNSUPPORTED_PROVIDER' } })
  t.match(await get('/providers/plain/sessions'), { status: 400, body: { code: 'UNSUPPORTED_PROVIDER' } })
  t.match(await get('/providers/broken/sessions'), { status: 502, body: { code: 'PROVIDER_UNAVAILABLE', message: 'The provider cannot tell: The disk is gone.' } })
  t.match(await get('/providers/failing/sessions'), { status: 502, body: { message: 'The provider cannot tell: it failed.' } })
})

test('an ACP agent tells what it has kept, and is ended', async (t) => {
  const listing = acpScript({
    initialize: 'answer({ protocolVersion: 1, agentCapabilities: { sessionCapabilities: { list: {} } } })',
    'session/list': `answer({ sessions: [{ sessionId: '${NATIVE}', cwd: '/srv', title: 'Tea', updatedAt: '2026-01-01T00:00:00Z' }] })`
  })
  const { get } = await serve(t, { adoptSessions: true, providers: { agent: listing, other: acpScript({}) }, defaultProvider: 'agent' })
  t.strictSame((await get('/providers/agent/sessions')).body, { sessions: [{ id: NATIVE, cwd: '/srv', title: 'Tea', updatedAt: '2026-01-01T00:00:00Z' }] })
  t.match(await get('/providers/other/sessions'), { status: 502, body: { message: 'The provider cannot tell: The agent does not list its sessions.' } })
})
