import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { FastifyInstance, RouteOptions } from 'fastify'
import { test, type Test } from 'tap'
import { buildStandalone, tokensFile } from '../helpers/build-standalone.ts'
import { exchange, rawRequest } from '../helpers/raw-request.ts'
import { SseClient } from '../helpers/read-sse.ts'

const TOKEN = 'the-token-of-alice'
const NO_SNIFFING = /\r\nx-content-type-options: nosniff(\r\n|$)/i

/** The server, listening, and every route that was added to it. */
async function serve (t: Test, args: string[] = []) {
  const routes: RouteOptions[] = []
  const listen = (message: unknown): void => {
    (message as { fastify: FastifyInstance }).fastify.addHook('onRoute', (route) => { routes.push(route) })
  }
  subscribe('fastify.initialization', listen)
  const { app, lines } = await buildStandalone(t, args)
  unsubscribe('fastify.initialization', listen)
  return { app, lines, routes, url: await app.listen({ port: 0, host: '127.0.0.1' }) }
}

test('every answer of every route says that its type is to be believed, for any caller and request', async (t) => {
  const { url, routes } = await serve(t, ['--tokens', tokensFile(t, [{ token: TOKEN, owner: 'alice' }]), '--cors-origin', 'https://app.example'])
  const seen = new Set<number>()
  const asking: Array<Record<string, string>> = [{ authorization: `Bearer ${TOKEN}` }, {}, { host: 'evil.example' }, { origin: 'https://evil.example' }, { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }]
  const asked = routes.flatMap(({ method, url: path }) => [method].flat().map((each) => [each, path.replace(/^(?!\/)/, '/').replaceAll(/:\w+|\*/g, 'x')] as const))
  for (const [method, path] of asked) {
    for (const headers of asking) {
      const client = await SseClient.open(url + path, { method, headers, ...(['POST', 'PATCH'].includes(method) && { body: '{"content":"x"}' }) })
      const { response } = client
      client.cut()
      t.equal(response.headers['x-content-type-options'], 'nosniff', `${method} ${path} ${response.statusCode}`)
      seen.add(response.statusCode!)
    }
  }
  t.ok(routes.length > 20, `${routes.length} routes`)
  for (const status of [200, 204, 400, 401, 403, 404, 415, 426]) t.ok(seen.has(status), String(status))
})

test('so does what is answered before a route is found, or without one', async (t) => {
  const { url, lines } = await serve(t)
  const requests: Array<[string, string | Buffer, number]> = [
    ['no such route', rawRequest('/none'), 404],
    ['no such method', rawRequest('/health', { method: 'PROPFIND' }), 404],
    ['no URL', rawRequest('/sessions/%zz?access_token=sesame'), 400],
    ['a parameter that is too long', rawRequest(`/sessions/${'x'.repeat(101)}?access_token=sesame`), 414],
    ['a name that is not ours', 'GET / HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n', 403],
    ['no HTTP', 'sesame\r\n\r\n', 400],
    ['a header that is none', 'GET /health HTTP/1.1\r\nhost: localhost\r\nsesame\r\n\r\n', 400],
    ['headers that are too large', rawRequest('/health', { headers: [['x', 'x'.repeat(20_000)]] }), 431],
    ['no such method at all', rawRequest('/health', { method: 'SESAME' }), 400]
  ]
  for (const [name, request, expected] of requests) {
    const { status, head, body } = await exchange(url, request)
    t.equal(status, expected, name)
    t.match(head, NO_SNIFFING, name)
    t.match(head, /\r\ncontent-type: application\/json/i)
    t.match(JSON.parse(body), { statusCode: expected, error: String, message: String }, name)
  }
  t.strictSame(lines.filter((line) => line.includes('access_token=sesame') || line.includes('rawPacket')), [], 'and the log stays quiet about what may be a token')
  t.ok(lines.some((line) => line.includes('client error')))
})

test('a request that trickles in is such an answer', async (t) => {
  const { app, url } = await serve(t)
  // How often Node looks is not ours to set: what it tells the server when one took too long.
  app.server.on('connection', (socket) => {
    socket.once('data', () => app.server.emit('clientError', Object.assign(new Error('Request timeout'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), socket))
  })
  const { status, head, body } = await exchange(url, 'GET / HTTP/1.1\r\n')
  t.equal(status, 408)
  t.match(head, NO_SNIFFING)
  t.match(JSON.parse(body), { statusCode: 408, error: 'Request Timeout', message: 'The request took too long to arrive.' })
})
