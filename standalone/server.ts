#!/usr/bin/env node
/* The standalone server: `npm start`, or the bin `fastify-agent-runs-server`. The process: arguments, signals, exit codes. */
import './node-version.ts'
import { buildApp } from './app.ts'
import { readSettings, UsageError } from './flags.ts'
import { greeting, usage } from './words.ts'

const EXIT_USAGE = 2

async function main (): Promise<void> {
  const settings = readSettings(process.argv.slice(2), process.env)
  if (settings.help) {
    process.stdout.write(usage())
    return
  }
  const app = await buildApp(settings)
  let closing = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // A second signal: the operator does not want to wait.
      if (closing) process.exit(1)
      closing = true
      process.stdout.write('Closing: running runs get their grace. Signal again to stop at once.\n')
      app.close().then(() => process.exit(0), (error: unknown) => {
        app.log.fatal(error)
        process.exit(1)
      })
    })
  }
  const url = await app.listen({ port: Number(settings.values['port']), host: String(settings.values['host']) })
  process.stdout.write(greeting(url, settings))
}

main().catch((error: unknown) => {
  const known = error instanceof UsageError || (error instanceof Error && 'code' in error)
  process.stderr.write(known ? `${(error).message}\n` : `${error instanceof Error ? error.stack : String(error)}\n`)
  process.exit(error instanceof UsageError ? EXIT_USAGE : 1)
})
