import { Agent, get } from 'node:http'
import Fastify from 'fastify'
import { test, type Test } from 'tap'
import agentRuns from '../../index.ts'
import { RawSocket } from '../helpers/raw-socket.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'
import { eventually } from '../helpers/serve-sockets.ts'

const request = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`

/** An app that tells of each request to a session when it begins to be served. */
async function serve (t: Test) {
  const app = Fastify()
  t.teardown(() => app.close())
  const begun: string[] = []
  const waiting: Array<() => void> = []
  await app.register(agentRuns, {
    providers: { agent: scriptedProvider() },
    store: ':memory:',
    closeGraceMs: 0,
    identify: async ({ url }) => {
      begun.push(url)
      await new Promise<void>((resolve) => { waiting.push(resolve) })
      return 'ada'
    }
  })
  return { begun, next: () => waiting.shift()!(), url: await app.listen({ port: 0, host: '127.0.0.1' }) }
}

test('of requests in one packet each begins when the one before is answered; other connections do not wait', async (t) => {
  const { begun, next, url } = await serve(t)
  const peer = new RawSocket(url, Buffer.from(request('/sessions/a') + request('/sessions/b')))
  await eventually(() => begun.length === 1)
  const other = new RawSocket(url, Buffer.from(request('/sessions/other')))
  // Had the second not waited, it would have begun before.
  await eventually(() => begun.length === 2)
  t.strictSame(begun, ['/sessions/a', '/sessions/other'])
  next()
  await eventually(() => begun.length === 3)
  t.strictSame(begun.at(-1), '/sessions/b')
  next()
  next()
  await peer.until(({ body }) => body.includes('"b"') || body.split('HTTP/1.1 404').length === 2)
  peer.cut()
  other.cut()
})

test('a connection that sends hundreds of requests and waits for no answer is cut', async (t) => {
  const { begun, url } = await serve(t)
  const peer = new RawSocket(url, Buffer.from(request('/sessions/a').repeat(400)))
  await peer.gone()
  t.strictSame(begun, ['/sessions/a'])
})

test('a connection that is kept open serves any number of requests, each behind the answer to the last', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(agentRuns, { providers: { agent: scriptedProvider() }, store: ':memory:' })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  for (let times = 0; times < 150; times++) {
    const status = await new Promise((resolve, reject) => {
      get(`${url}/providers`, { agent }, (response) => response.resume().on('end', () => resolve(response.statusCode))).on('error', reject)
    })
    if (status !== 200) t.fail(`request ${times} got ${String(status)}`)
  }
  t.equal((await app.inject('/providers')).statusCode, 200)
})
