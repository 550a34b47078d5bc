import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { readSettings } from '../../standalone/flags.ts'
import { greeting } from '../../standalone/words.ts'
import { buildStandalone, tokensFile } from '../helpers/build-standalone.ts'
import { exchange, rawRequest } from '../helpers/raw-request.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const PAGE = readFileSync(new URL('../../playground/index.html', import.meta.url), 'utf8')
const FILES = readdirSync(new URL('../../playground/', import.meta.url)).filter((name) => name !== 'README.md')

/** What the page says of its server. */
function settingsOf (page: string): unknown {
  const [, escaped] = /<meta name="agent-runs" content="([^"]*)">/.exec(page)!
  return JSON.parse(escaped!.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&amp;', '&'))
}

function importsOf (page: string): Record<string, string> {
  const [, map] = /<script type="importmap">([^<]*)<\/script>/.exec(page)!
  return (JSON.parse(map!) as { imports: Record<string, string> }).imports
}

test('the page comes with a policy that lets it load what is ours and nothing else, and run only the import map that is in it', async (t) => {
  const { app } = await buildStandalone(t)
  const { statusCode, headers, body } = await app.inject('/')
  const [, map] = /<script type="importmap">([^<]*)<\/script>/.exec(body)!
  t.strictSame([statusCode, headers['content-type'], headers['cache-control'], headers['x-content-type-options'], headers['referrer-policy']],
    [200, 'text/html; charset=utf-8', 'no-cache', 'nosniff', 'no-referrer'])
  t.strictSame(String(headers['content-security-policy']).split('; '), [
    "default-src 'none'", `script-src 'self' 'sha256-${createHash('sha256').update(map!).digest('base64')}'`, "style-src 'self'", "connect-src 'self'",
    "img-src 'self' data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"
  ])
  t.strictSame(PAGE.match(/<script(?![^>]* src=)[^>]*>/g), ['<script type="importmap">'], 'nothing else is inline')
  t.notMatch(PAGE, /<style|\sstyle=|\son\w+=|https?:/)
})

test('all that the page and its modules ask for is there, as JavaScript that browsers take, to be asked for each time', async (t) => {
  const { app } = await buildStandalone(t)
  const { body } = await app.inject('/')
  const imports = importsOf(body)
  const origin = 'http://localhost/'
  const seen = new Map<string, string>()
  const waiting = [...body.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, path]) => new URL(path!, origin).href)
  for (const url of waiting) {
    if (seen.has(url)) continue
    const { pathname } = new URL(url)
    const { statusCode, headers, body: text } = await app.inject(pathname)
    seen.set(url, pathname)
    t.strictSame([statusCode, headers['cache-control'], headers['x-content-type-options']], [200, 'no-cache', 'nosniff'], pathname)
    const isModule = /\.(?:js|ts)$/.test(pathname)
    t.match(headers['content-type'], isModule ? /^(text|application)\/javascript; charset=utf-8$/ : pathname.endsWith('.css') ? 'text/css; charset=utf-8' : 'image/svg+xml', pathname)
    const again = await app.inject({ url: pathname, headers: { 'if-none-match': String(headers.etag) } })
    t.strictSame([again.statusCode, again.body], [304, ''], `${pathname} is not sent twice`)
    if (!isModule) continue
    t.notMatch(text, /^(import type|export type|interface) /m, pathname)
    for (const [, name] of text.matchAll(/^(?:import|export)(?:\b[^'"\n]*\bfrom)? ?["']([^'"]+)["']/gm)) waiting.push(new URL(imports[name!] ?? name!, name! in imports ? origin : url).href)
  }
  const paths = [...seen.values()]
  t.strictSame(paths.filter((path) => /^\/playground\/[^/]+$/.test(path)).map((path) => path.split('/').at(-1)).sort(), FILES.filter((name) => name !== 'index.html').sort(), 'no file lies there unused')
  t.ok(paths.includes('/playground/client/index.ts') && paths.includes('/playground/client/transcript.ts') && paths.includes('/playground/eventsource-parser/index.js'))
})

test('a page that a browser has is not sent again, also if what is in front of us has weakened its tag', async (t) => {
  const { app } = await buildStandalone(t)
  const { headers: { etag } } = await app.inject('/')
  for (const tag of [etag, `W/${etag}`, `"other", ${etag}`]) {
    const { statusCode, body, headers } = await app.inject({ url: '/', headers: { 'if-none-match': tag } })
    t.strictSame([statusCode, body, headers.etag, headers['cache-control']], [304, '', etag, 'no-cache'])
  }
  t.equal((await app.inject({ url: '/', headers: { 'if-none-match': '"other"' } })).statusCode, 200)
})

test('a HEAD gets what a GET would, without the body', async (t) => {
  const { app } = await buildStandalone(t)
  for (const url of ['/', '/playground/app.js', '/playground/client/index.ts', '/playground/eventsource-parser/index.js']) {
    const [got, head] = [await app.inject({ url }), await app.inject({ method: 'HEAD', url })]
    t.strictSame([head.statusCode, head.body], [200, ''], url)
    for (const name of ['content-type', 'content-length', 'etag', 'content-security-policy']) t.equal(head.headers[name], got.headers[name], `${url} ${name}`)
  }
})

test('the page is told where the API is, who answers, and whether one can log in', async (t) => {
  const settings = async (...args: string[]): Promise<unknown> => settingsOf((await (await buildStandalone(t, args)).app.inject('/')).body)
  t.strictSame(await settings(), { prefix: '', providers: ['echo'], defaultProvider: 'echo', websocket: true, login: false })
  t.strictSame(await settings('--prefix', '/api/v1', '--websocket', 'false', '--tokens', tokensFile(t, [{ token: 'the-token-of-alice', owner: 'alice' }])), {
    prefix: '/api/v1', providers: ['echo'], defaultProvider: 'echo', websocket: false, login: true
  })
  const config = join(tempDir(t), 'config.json')
  const hostile = '"><script>alert(1)</script>&quot;$&'
  writeFileSync(config, JSON.stringify({ providers: { [hostile]: { type: 'echo' }, other: { type: 'echo' } } }))
  t.strictSame(await settings('--config', config), { prefix: '', providers: [hostile, 'other'], defaultProvider: null, websocket: true, login: false })
  t.strictSame(await settings('--config', config, '--default-provider', 'other'), { prefix: '', providers: [hostile, 'other'], defaultProvider: 'other', websocket: true, login: false })
  const { app } = await buildStandalone(t, ['--config', config])
  t.notMatch((await app.inject('/')).body, '<script>alert')
})

test('what is no part of the page is not found, in the words of the server', async (t) => {
  const { app } = await buildStandalone(t)
  const paths = [
    '/playground', '/playground/', '/playground/none.js', '/playground/index.html', '/playground/client/', '/playground/client/none.ts', '/playground/client/index.js',
    '/playground/client/index.ts/', '/playground/eventsource-parser/', '/playground/eventsource-parser/index.cjs', '/playground/eventsource-parser/index.d.ts', '/playground/.env'
  ]
  for (const path of paths) {
    const { statusCode, body } = await app.inject(`${path}?secret=1`)
    t.strictSame([statusCode, JSON.parse(body)], [404, { statusCode: 404, error: 'Not Found', message: `Route GET:${path} not found` }])
  }
  t.equal((await app.inject({ method: 'POST', url: '/' })).statusCode, 404)
})

test('nobody climbs out of the folders', async (t) => {
  const { app } = await buildStandalone(t)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const up = ['../', '..%2f', '%2e%2e/', '%2e%2e%2f', '..\\', '..%5c', '....//', './../', 'x/../../', '%00/../']
  for (const folder of ['/playground/', '/playground/client/', '/playground/eventsource-parser/']) {
    for (const step of up) {
      for (const target of ['index.ts', 'package.json', 'lib/protocol/event.ts', 'standalone/app.ts', 'playground/app.js']) {
        const path = `${folder}${step}${folder === '/playground/' ? '' : step}${target}`
        const { status, body } = await exchange(url, rawRequest(path))
        t.ok([400, 403, 404].includes(status!), `${path} ${status}`)
        t.notMatch(body, /import |"name"/, path)
      }
    }
  }
  t.match(await exchange(url, rawRequest('/playground//etc/passwd')), { status: 403 })
})

test('there is no page if it is switched off, or has no API that it could know of', async (t) => {
  for (const args of [['--playground', 'false'], ['--routes', 'false'], ['--prefix', '/:tenant']]) {
    const { app } = await buildStandalone(t, args)
    t.strictSame([(await app.inject('/')).statusCode, (await app.inject('/playground/app.js')).statusCode], [404, 404], args.join(' '))
    t.notMatch(greeting('http://127.0.0.1:3000', readSettings(args, {})), 'in a browser')
  }
  t.match(greeting('http://127.0.0.1:3000', readSettings(['--prefix', '/api'], {})), 'listening at http://127.0.0.1:3000/api. Try it in a browser, at http://127.0.0.1:3000/, or here:')
})

test('the page is for everybody, what it would show is not', async (t) => {
  const { app } = await buildStandalone(t, ['--tokens', tokensFile(t, [{ token: 'the-token-of-alice', owner: 'alice' }]), '--prefix', '/api'])
  const statuses = await Promise.all(['/', '/playground/app.js', '/api/sessions'].map(async (url) => (await app.inject(url)).statusCode))
  t.strictSame(statuses, [200, 200, 401])
})

test('what guards the server guards the page: names that it does not answer to get nothing, and the log has no token', async (t) => {
  const { app, lines } = await buildStandalone(t)
  for (const url of ['/', '/playground/app.js', '/playground/client/index.ts']) {
    const { statusCode, body } = await app.inject({ url, headers: { host: 'evil.example' } })
    t.match([statusCode, JSON.parse(body)], [403, { code: 'HOST_NOT_ALLOWED' }], url)
    t.equal((await app.inject({ url: `${url}?access_token=sesame-0123456789` })).statusCode, 200)
  }
  t.ok(lines.some((line) => line.includes('/playground/app.js')))
  t.strictSame(lines.filter((line) => line.includes('sesame')), [])
})
