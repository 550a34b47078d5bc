/* The standalone server with the flags in argv[2…], and somebody who looks after it: "report" on standard input answers how it is. */
import { readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { buildApp } from '../../../standalone/app.ts'
import { readSettings } from '../../../standalone/flags.ts'

/** What the log said from `error` on, and what is no JSON. */
const complaints: string[] = []

function read (line: string): void {
  // pino writes one object a line, in which no control character is raw.
  const isOneLine = line.endsWith('\n') && Array.from(line.slice(0, -1)).every((character) => character >= ' ')
  if (!isOneLine || (JSON.parse(line) as { level: number }).level >= 50) complaints.push(line.trim())
}

const app = await buildApp(readSettings(process.argv.slice(2), {}), { write: read })
process.stdout.write(`listening ${await app.listen({ port: 0, host: '127.0.0.1' })}\n`)

createInterface({ input: process.stdin }).on('line', () => {
  const fullRss = process.memoryUsage.rss()
  globalThis.gc?.()
  app.server.getConnections((_, connections) => {
    const { rss, heapUsed } = process.memoryUsage()
    const fds = process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0
    process.stdout.write(`report ${JSON.stringify({ fullRss, rss, heapUsed, connections, fds, complaints })}\n`)
  })
})
