/*
 * Ordinary use for as long as argv[2] says, in minutes: create, patch, send, follow, history, delete, over HTTP. Fails at the
 * first answer that is not what it should be. `npm run soak -- 10`
 */
import { setTimeout as pause } from 'node:timers/promises'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify from 'fastify'
import agentRuns from '../../../index.ts'
import { echo } from '../../../providers/echo/echo.ts'

const MINUTES = Number(process.argv[2] ?? 10)
const CLIENTS = 4
const PAUSE_MS = 10

const directory = mkdtempSync(join(tmpdir(), 'soak-'))
const app = Fastify({ forceCloseConnections: true })
await app.register(agentRuns, { providers: { echo: echo({ delayMs: 1 }) }, store: join(directory, 'runs.db'), retention: { completedRunMs: 500 } })
const url = await app.listen({ port: 0, host: '127.0.0.1' })
const end = performance.now() + MINUTES * 60_000
let rounds = 0

async function call (method: string, path: string, status: number, body?: object): Promise<string> {
  const response = await fetch(url + path, { method, ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }) })
  const text = await response.text()
  if (response.status !== status) throw new Error(`${method} ${path}: ${response.status} ${text}`)
  return text
}

async function client (name: string): Promise<void> {
  for (let round = 0; performance.now() < end; round++) {
    const id = `${name}-${round}`
    await call('POST', '/sessions', 201, { id, metadata: { round } })
    await call('PATCH', `/sessions/${id}`, 200, { title: `round ${round}` })
    await call('POST', `/sessions/${id}/messages`, 202, { content: `some words for round ${round}` })
    const stream = await call('GET', `/sessions/${id}/stream?until=complete`, 200)
    const seqs = [...stream.matchAll(/^data: .*"seq":(\d+)/gm)].map(([, seq]) => Number(seq))
    if (!stream.startsWith('retry: ') || seqs.some((seq, index) => seq !== index + 1)) throw new Error(`out of order: ${stream}`)
    await call('GET', `/sessions/${id}/messages`, 200)
    if (round % 3 > 0) await call('DELETE', `/sessions/${id}`, 204)
    rounds++
    await pause(PAUSE_MS)
  }
}

await Promise.all(Array.from({ length: CLIENTS }, (_, index) => client(`client-${index}`)))
await app.close()
rmSync(directory, { recursive: true })
process.stdout.write(`${process.version}: ${rounds} rounds in ${MINUTES} minutes, none failed\n`)
