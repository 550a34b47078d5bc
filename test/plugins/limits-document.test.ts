/* docs/limits.md names every route, frame and limit that there is. */
import { readFileSync } from 'node:fs'
import Fastify from 'fastify'
import { test } from 'tap'
import agentRuns from '../../index.ts'
import { FRAME_KINDS } from '../../lib/protocol/frames.ts'
import { OPTIONS } from '../../plugins/options.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

const DOCUMENT = readFileSync(new URL('../../docs/limits.md', import.meta.url), 'utf8')

test('every route has a row', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const routes: string[] = []
  app.addHook('onRoute', ({ method, url }) => { for (const each of [method].flat()) if (each !== 'HEAD') routes.push(`${each} ${url}`) })
  await app.register(agentRuns, { providers: { agent: scriptedProvider() }, store: ':memory:' })
  await app.ready()
  t.ok(routes.length > 15)
  t.strictSame(routes.filter((route) => !DOCUMENT.includes(`\`${route}\``)), [])
})

test('every frame of the gateway has a row', (t) => {
  t.strictSame([...FRAME_KINDS].filter((kind) => !DOCUMENT.includes(`\`${kind}\``)), [])
  t.end()
})

test('every limit that bounds a size is named', (t) => {
  const elsewhere = ['runningRuns', 'subscribersPerSession', 'subscribers', 'sockets', 'subscriptionsPerSocket', 'messagesPerSecond', 'bodyBytes']
  const names = Object.keys(OPTIONS.properties.limits.properties).filter((name) => !elsewhere.includes(name))
  t.strictSame(names.filter((name) => !DOCUMENT.includes(`limits.${name}\``)), [])
  t.end()
})
