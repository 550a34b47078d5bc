/* The playground: a page at `/` that shows all that the server does, and the modules that it is made of. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import files from '@fastify/static'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Settings } from './flags.ts'
import { TranspiledModules } from './transpiled-modules.ts'

/** What the page has to know of its server; it finds it in its `<meta name="agent-runs">`. */
export interface PlaygroundSettings {
  /** Where the plugin's routes are. */
  prefix: string
  /** The names of the providers. */
  providers: string[]
  /** Who answers messages that name none; null = each has to name one. */
  defaultProvider: string | null
  /** Whether there is a WebSocket. */
  websocket: boolean
  /** Whether one can log in and out. */
  login: boolean
}

const ROOT = new URL('../', import.meta.url)
const PAGE = new URL('playground/index.html', ROOT)
const JAVASCRIPT = 'text/javascript; charset=utf-8'

/** From a clone the client library is TypeScript, in the package it is compiled: as this file is. */
const EXTENSION = extname(import.meta.url)

/** What the page's modules import by name. All paths are relative to the page: whatever is in front of it may move it. */
const IMPORTS = JSON.stringify({
  imports: {
    'fastify-agent-runs-client': `./playground/client/index${EXTENSION}`,
    'eventsource-parser': './playground/eventsource-parser/index.js'
  }
})

const POLICY = [
  "default-src 'none'", `script-src 'self' 'sha256-${hashOf(IMPORTS, 'base64')}'`, "style-src 'self'", "connect-src 'self'", "img-src 'self' data:",
  "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"
].join('; ')

/** Whether settings ask for the playground, and leave it routes: of a prefix with parameters a page does not know what stands for them. */
export function hasPlayground ({ values: { playground, routes, prefix } }: Settings): boolean {
  return playground === true && routes === true && !String(prefix).includes(':')
}

/**
 * Adds `GET /` and what lies under `/playground/`. These are the same for everybody, and public; what the page shows, it asks
 * the API for.
 */
export async function playgroundRoutes (fastify: FastifyInstance, { settings }: { settings: PlaygroundSettings }): Promise<void> {
  const page = (await readFile(PAGE, 'utf8')).replace('{{settings}}', () => escaped(JSON.stringify(settings))).replace('{{imports}}', () => IMPORTS)

  // They are no part of the API.
  fastify.addHook('onRoute', (route) => { route.schema = { hide: true, ...route.schema } })
  fastify.addHook('onRequest', async (_request, reply) => {
    // Asked for each time, and answered with 304: a page never meets the modules of another version.
    reply.headers({ 'cache-control': 'no-cache', 'referrer-policy': 'no-referrer' })
  })
  fastify.get('/', async (request, reply) => {
    reply.header('content-security-policy', POLICY)
    return answer(request, reply, 'text/html; charset=utf-8', page)
  })
  serveFolder(fastify, '/playground/', new URL('playground/', ROOT), /^\/[\w-]+\.(js|css|svg)$/)
  serveFolder(fastify, '/playground/eventsource-parser/', new URL('./', import.meta.resolve('eventsource-parser')), /^\/[\w-]+\.js$/)
  if (EXTENSION === '.ts') transpileFolder(fastify, '/playground/client/', new URL('client/', ROOT))
  else serveFolder(fastify, '/playground/client/', new URL('./', import.meta.resolve('fastify-agent-runs-client')), /^\/[\w/-]+\.js$/)
}

function serveFolder (fastify: FastifyInstance, prefix: string, folder: URL, allowed: RegExp): void {
  fastify.register(files, {
    root: dirname(fileURLToPath(new URL('any', folder))),
    prefix,
    decorateReply: false,
    cacheControl: false,
    index: false,
    allowedPath: (path) => allowed.test(path)
  })
}

function transpileFolder (fastify: FastifyInstance, prefix: string, folder: URL): void {
  const modules = new TranspiledModules(folder)
  fastify.addHook('onClose', () => modules.close())
  fastify.get<{ Params: { '*': string } }>(`${prefix}*`, async (request, reply) => {
    const code = await modules.read(request.params['*'])
    return code === null ? reply.callNotFound() : answer(request, reply, JAVASCRIPT, code)
  })
}

/** Answers with text, or says that the client has it. */
function answer ({ headers }: FastifyRequest, reply: FastifyReply, type: string, text: string): FastifyReply {
  const tag = `"${hashOf(text, 'base64url')}"`
  reply.header('etag', tag)
  // In a list, or weakened by what compresses on the way.
  return headers['if-none-match']?.includes(tag) === true ? reply.code(304).send() : reply.type(type).send(text)
}

function hashOf (text: string, encoding: 'base64' | 'base64url'): string {
  return createHash('sha256').update(text).digest(encoding)
}

/** Text as it stands in an attribute. */
function escaped (text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')
}
