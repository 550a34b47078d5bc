import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Validator } from '@seriousme/openapi-schema-validator'
import type { FastifyInstance, RouteOptions } from 'fastify'
import { test, type Test } from 'tap'
import { buildStandalone, tokensFile } from '../helpers/build-standalone.ts'

const TOKEN = 'the-token-of-alice'

interface Operation {
  operationId: string
  summary: string
  tags: string[]
  security?: object[]
  parameters?: Array<{ name: string, in: string }>
}

interface Document {
  info: { version: string }
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, object>, securitySchemes?: object }
}

/** The server, every route that was added to it, and what it says of them. */
async function build (t: Test, args: string[] = []) {
  const routes: RouteOptions[] = []
  const listen = (message: unknown): void => {
    (message as { fastify: FastifyInstance }).fastify.addHook('onRoute', (route) => { routes.push(route) })
  }
  subscribe('fastify.initialization', listen)
  const { app, lines } = await buildStandalone(t, args)
  unsubscribe('fastify.initialization', listen)
  const document = (await app.inject('/openapi.json')).json<Document>()
  return { app, lines, routes, document }
}

/** What is said of a route; nothing of one that is not told of. */
function operationOf ({ paths }: Document, { method, url }: RouteOptions): Operation | undefined {
  return paths[url.replaceAll(/:(\w+)/g, '{$1}')]?.[String(method).toLowerCase()]
}

function withTokens (t: Test): string[] {
  return ['--tokens', tokensFile(t, [{ token: TOKEN, owner: 'alice' }])]
}

test('the document is valid, and tells of every route: what it is called, what it does and where it belongs', async (t) => {
  for (const args of [[], withTokens(t), ['--prefix', '/api'], ['--prefix', '/:tenant', ...withTokens(t)], ['--websocket', 'false'], ['--cors-origin', 'https://app.example']]) {
    const { routes, document } = await build(t, args)
    const { errors } = await new Validator().validate(structuredClone(document) as never)
    t.strictSame(errors ?? [], [], args.join(' '))
    const [hidden, told] = [routes.filter(({ schema }) => schema?.hide), routes.filter(({ schema, method }) => !schema?.hide && method !== 'HEAD')]
    t.strictSame(hidden.filter(({ config }) => config?.runsAction !== undefined).map(({ url }) => url), [], 'only pages are hidden')
    const ids = new Set<string>()
    for (const route of told) {
      const { operationId, summary, tags, parameters = [] } = operationOf(document, route) ?? {}
      const name = `${String(route.method)} ${route.url}`
      t.match([operationId, summary, tags], [/^[a-z][A-Za-z]+$/, /^.+$/, [/^(agent runs|server)$/]], name)
      t.notOk(ids.has(operationId!), `${name} has a name of its own`)
      ids.add(operationId!)
      t.strictSame(parameters.filter((each) => each.in === 'path').map((each) => each.name).sort(), Array.from(route.url.matchAll(/:(\w+)/g), ([, name]) => name!).sort(), name)
    }
    t.strictSame(Object.values(document.paths).flatMap(Object.keys).length, told.length, 'and of no other')
  }
})

test('what is said of each route without --tokens: its codes by their status, and each schema once', async (t) => {
  const { document } = await build(t)
  t.equal(document.paths['/login'], undefined)
  t.equal(document.components.securitySchemes, undefined)
  t.strictSame(Object.values(document.paths).flatMap(Object.values).filter((operation: Operation) => operation.security !== undefined), [])
  const references = new Set(Array.from(JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g), ([, name]) => name!))
  t.strictSame([...references].sort(), Object.keys(document.components.schemas).sort())
  const { responses, requestBody } = document.paths['/sessions/{id}/abort']!['post'] as unknown as { responses: Record<string, { description: string, content: { 'application/json': object } }>, requestBody: object }
  t.match(requestBody, { required: false })
  t.strictSame(responses['404'], {
    description: '`SESSION_NOT_FOUND`, `RUN_NOT_FOUND`',
    content: {
      'application/json': {
        schema: { $ref: '#/components/schemas/Error' },
        examples: {
          SESSION_NOT_FOUND: { value: { statusCode: 404, code: 'SESSION_NOT_FOUND', error: 'Not Found', message: 'Session "…" does not exist.' } },
          RUN_NOT_FOUND: { value: { statusCode: 404, code: 'RUN_NOT_FOUND', error: 'Not Found', message: 'Run "…" does not exist.' } }
        }
      }
    }
  })
  t.strictSame(responses['200']!.content['application/json'], { schema: { $ref: '#/components/schemas/CompleteEvent' } })
})

test('with --tokens the routes of the plugin ask for one, in any of its three ways, and no other does', async (t) => {
  for (const prefix of ['', '/api']) {
    const { routes, document } = await build(t, [...withTokens(t), '--prefix', prefix])
    t.match(document.components.securitySchemes, {
      bearer: { type: 'http', scheme: 'bearer' }, cookie: { type: 'apiKey', in: 'cookie', name: 'agent_runs_token' }, query: { type: 'apiKey', in: 'query', name: 'access_token' }
    })
    for (const route of routes.filter(({ schema, method }) => !schema?.hide && method !== 'HEAD')) {
      const expected = route.config?.runsAction === undefined ? undefined : [{ bearer: [] }, { cookie: [] }, { query: [] }]
      t.strictSame(operationOf(document, route)!.security, expected, route.url)
    }
    t.match(document.paths[`${prefix}/login`]!['post'], { operationId: 'login', responses: { 204: { headers: { 'set-cookie': {} } } } })
  }
})

test('the document and the page are where they are, whatever the prefix, and need no token', async (t) => {
  for (const args of [[], [...withTokens(t), '--prefix', '/api'], ['--prefix', '/docs']]) {
    const { app, document } = await build(t, args)
    t.match(document, { openapi: '3.1.0', info: { title: 'fastify-agent-runs', version: /^\d+\.\d+\.\d+/ } })
    for (const [url, type] of [['/openapi.json', 'application/json'], ['/docs', 'text/html'], ['/docs/', 'text/html'], ['/docs/static/swagger-ui-bundle.js', 'text/javascript']] as const) {
      for (const method of ['GET', 'HEAD'] as const) {
        const { statusCode, headers, body } = await app.inject({ method, url })
        t.match([statusCode, headers['content-type']], [200, new RegExp(`^(${type}|application/javascript)`)], `${method} ${url}`)
        t.equal(body === '', method === 'HEAD')
      }
    }
    t.match((await app.inject('/docs/')).headers['content-security-policy'], "frame-ancestors 'none'")
    t.equal((await app.inject('/openapi.json')).headers['content-security-policy'], undefined)
  }
})

test('what holds for other routes holds for these: the name of the server, the log, what is not there', async (t) => {
  const { app, lines } = await build(t)
  for (const url of ['/openapi.json', '/docs', '/docs/json', '/docs/static/swagger-ui.css']) {
    t.match((await app.inject({ url, headers: { host: 'evil.example' } })).json(), { code: 'HOST_NOT_ALLOWED' }, url)
  }
  t.strictSame((await app.inject('/docs/static/none.js?access_token=x')).json(), { statusCode: 404, error: 'Not Found', message: 'Route GET:/docs/static/none.js not found' })
  await app.inject(`/openapi.json?access_token=${TOKEN}`)
  t.match(lines.join(''), '/openapi.json?access_token=***')
  t.notMatch(lines.join(''), TOKEN)
})
