/* Pages have six connections to an origin over HTTP/1.1: what more is followed goes over one WebSocket. */
import { test, type Test } from 'tap'
import { type ClientOptions, createClient } from '../../client/index.ts'
import { serveApp } from '../helpers/build-app.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

const SESSIONS = 6

/** Follows six sessions in a page; answers how many streams and sockets the server was asked for. */
async function follow (t: Test, options: ClientOptions, { websocket = true, isPage = true } = {}) {
  if (isPage) Object.assign(globalThis, { document: new EventTarget() })
  t.teardown(() => Reflect.deleteProperty(globalThis, 'document'))
  const { app, url } = await serveApp(t, { providers: { agent: scriptedProvider() }, websocket })
  const asked = { streams: 0, sockets: 0 }
  app.server.on('request', ({ url = '' }: { url?: string }) => { if (url.includes('/stream')) asked.streams++ })
  // With a listener, Node takes it that upgrades are answered.
  if (websocket) app.server.prependListener('upgrade', () => { asked.sockets++ })
  const client = createClient(url, options)
  const kinds: string[] = []
  const subscriptions = Array.from({ length: SESSIONS }, (_, index) => client.subscribe(`s${index}`, ({ kind }) => { kinds.push(kind) }))
  while (kinds.length < SESSIONS) await new Promise(setImmediate)
  t.strictSame(kinds, Array.from({ length: SESSIONS }, () => 'chat_subscribed'))
  for (const subscription of subscriptions) subscription.close()
  await Promise.all(subscriptions.map(({ closed }) => closed))
  client.close()
  return asked
}

test('a page follows four sessions by streams, the others over one WebSocket', async (t) => {
  t.strictSame(await follow(t, {}), { streams: 4, sockets: 1 })
})

test('where there is no WebSocket, all are streams', async (t) => {
  t.equal((await follow(t, {}, { websocket: false })).streams, SESSIONS)
})

for (const [what, options] of [['wants streams', { transport: 'sse' }], ['needs headers', { headers: { authorization: 'Bearer x' } }]] as const) {
  test(`a client that ${what} has streams alone`, async (t) => {
    t.strictSame(await follow(t, options), { streams: SESSIONS, sockets: 0 })
  })
}

test('outside of pages, and over HTTP/2, there is no such limit', async (t) => {
  t.strictSame(await follow(t, {}, { isPage: false }), { streams: SESSIONS, sockets: 0 })
  t.capture(performance, 'getEntriesByType', () => [{ name: 'http://127.0.0.1:1/other', nextHopProtocol: 'h2' }])
  t.equal((await follow(t, {})).sockets, 1, 'of another origin it says nothing')
})
