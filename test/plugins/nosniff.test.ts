/* What our routes answer is JSON or an event stream with words of others in it: no browser is to guess otherwise. */
import Fastify from 'fastify'
import { test } from 'tap'
import agentRuns from '../../index.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

test('every answer of every route says that it is what it says, errors too', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const routes: string[] = []
  app.addHook('onRoute', ({ url }) => { if (!routes.includes(url)) routes.push(url) })
  app.get('/of-the-host', async () => ({}))
  await app.register(agentRuns, { providers: { agent: scriptedProvider() }, store: ':memory:', identify: ({ headers }) => headers['x-user'] as string | undefined })
  await app.ready()
  await app.agentRuns.createSession({ id: 's', owner: 'alice' })
  t.ok(routes.includes('/sessions/:id/messages') && routes.includes('/ag-ui'), routes.join())
  for (const route of routes.filter((path) => path !== '/of-the-host')) {
    const url = route.replace(/:\w+/g, 's')
    for (const method of ['GET', 'POST', 'DELETE'] as const) {
      for (const headers of [{ 'x-user': 'alice' }, {}]) {
        if (method === 'GET' && url.endsWith('/stream') && 'x-user' in headers) continue
        const response = await app.inject({ method, url, headers, ...(method === 'POST' && { payload: { wrong: 1 } }) })
        if (response.statusCode !== 404 || response.json<{ code?: string }>().code !== undefined) t.equal(response.headers['x-content-type-options'], 'nosniff', `${method} ${url} ${response.statusCode}`)
      }
    }
  }
  const stream = await app.inject({ url: '/sessions/s/stream?until=complete', headers: { 'x-user': 'alice' }, payloadAsStream: true })
  t.equal(stream.headers['x-content-type-options'], 'nosniff')
  stream.stream().destroy()
  t.notOk('x-content-type-options' in (await app.inject('/of-the-host')).headers)
})
