/* The standalone server's app: the plugin in front of one provider, and a health check. */
import Fastify, { type FastifyInstance } from 'fastify'
import agentRuns, { type AgentRunsOptions, type Provider } from '../index.ts'
import { command } from '../providers/command.ts'
import { echo } from '../providers/echo.ts'
import { type Settings, UsageError } from './flags.ts'

/** A peer that sends its request a byte at a time is given up after this long; streams are not affected. */
const REQUEST_TIMEOUT_MS = 30_000

/** Builds the app that settings ask for; it does not listen yet. Throws UsageError. */
export async function buildApp ({ values, command: argv }: Settings): Promise<FastifyInstance> {
  const { port, host, db, provider, logLevel, ...options } = values
  const name = typeof provider === 'string' ? provider : argv.length > 0 ? 'command' : 'echo'
  const providers = { [name]: createProvider(name, argv) }
  const app = Fastify({
    logger: { level: String(logLevel) },
    requestTimeout: REQUEST_TIMEOUT_MS,
    // An EventSource that reconnects while we close must not get Fastify's 503, which it would take for final.
    return503OnClosing: false,
    // Connections on which nothing was ever asked would keep the server from closing.
    forceCloseConnections: true
  })
  app.get('/health', async () => ({ status: 'ok', runs: (await app.runs.listRunningRuns()).length }))
  await app.register(agentRuns, { ...options as Partial<AgentRunsOptions>, providers, store: String(db) })
  return app
}

function createProvider (name: string, [program, ...args]: string[]): Provider {
  if (name !== 'command' && program !== undefined) throw new UsageError(`The provider "${name}" takes no command after --.`)
  if (name === 'echo') return echo()
  if (name !== 'command') throw new UsageError(`There is no provider "${name}", only "echo" and "command".`)
  if (program === undefined) throw new UsageError('The provider "command" needs a command: … --provider command -- my-agent --flag')
  return command({ command: program, args })
}
