/* A runtime whose `fetch` gives answers only whole, as React Native's own. */
import { test, type Test } from 'tap'
import { WebSocket } from 'ws'
import { createClient, emptyTranscript, fold, follow } from '../../client/index.ts'
import { serveApp } from '../helpers/build-app.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

/** An answer without a body stream, once it is whole. */
const wholeFetch: typeof globalThis.fetch = async (...args) => {
  const response = await fetch(...args)
  const text = await response.text()
  return { status: response.status, ok: response.ok, url: response.url, headers: response.headers, text: async () => text } as Response
}

function reactNative (t: Test): void {
  const { navigator } = globalThis
  Object.defineProperty(globalThis, 'navigator', { value: { product: 'ReactNative' }, configurable: true })
  t.teardown(() => Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true }))
}

test('a stream is refused by a code that says what to do, before anything is asked; a fetch of the caller\'s own is tried', async (t) => {
  reactNative(t)
  const asked: unknown[] = []
  const client = createClient('http://127.0.0.1:1')
  for (const items of [follow('http://127.0.0.1:1/x'), client.follow('s')]) {
    await t.rejects(items.next(), { code: 'NO_STREAMS', message: /websocket/ })
  }
  const streamless = async (url: string | URL | Request): Promise<Response> => {
    asked.push(url)
    return { status: 200, ok: true, url: '', headers: new Headers({ 'content-type': 'text/event-stream' }) } as Response
  }
  await t.rejects(follow('http://127.0.0.1:1/x', { fetch: streamless }).next(), { code: 'NO_STREAMS' })
  t.equal(asked.length, 1)
})

test('over a WebSocket all works: send, follow, abort, lists, and errors', async (t) => {
  reactNative(t)
  const agent = scriptedProvider()
  const { url } = await serveApp(t, { providers: { agent } })
  const client = createClient(url, { transport: 'websocket', WebSocket, fetch: wholeFetch })
  const { runId } = await client.send('s', 'hello')
  const run = await agent.next()
  await run.emit({ kind: 'text', content: 'hi' })
  let transcript = emptyTranscript
  for await (const item of client.follow('s')) {
    transcript = fold(transcript, item)
    if (transcript.cursor === 2) await client.abort('s', { runId })
    if ('seq' in item && item.kind === 'complete') break
  }
  t.match(transcript.runs, [{ runId, complete: { reason: 'aborted' } }])
  t.match(await client.listSessions(), [{ id: 's' }])
  t.match(await client.getRun(runId), { message: { content: 'hello' } })
  await t.rejects(client.history('nowhere'), { code: 'SESSION_NOT_FOUND' })
  client.close()
})
