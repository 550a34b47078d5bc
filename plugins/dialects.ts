/* Which dialects are spoken, and at which mounts. */
import type { FastifyInstance } from 'fastify'
import { runsError } from '../lib/protocol/errors.ts'
import { dialectRoutes } from '../routes/dialects.ts'
import { agUiDialect } from '../transports/dialects/ag-ui/index.ts'
import { aiSdkDialect } from '../transports/dialects/ai-sdk/index.ts'
import type { Dialect } from '../transports/dialects/dialect.ts'

/** What are our own routes. */
const TAKEN = new Set(['sessions', 'runs', 'ws'])

/** The dialects by their mounts: those that we bring unless they are turned off, and the app's own. Throws AGENT_RUNS_INVALID_PLUGIN_OPTIONS. */
export function resolveDialects (given: Record<string, Dialect | false> = {}): Record<string, Dialect> {
  if (typeof given !== 'object' || given === null) invalid('"dialects" must be an object of dialects by the name of their mount.')
  const dialects: Record<string, Dialect> = {}
  const all: Record<string, Dialect | false> = { 'ai-sdk': aiSdkDialect(), 'ag-ui': agUiDialect(), ...given }
  for (const [name, dialect] of Object.entries(all)) {
    if (dialect === false) continue
    if (!/^[a-z0-9][a-z0-9-]*$/.test(name) || TAKEN.has(name)) invalid(`a dialect cannot be mounted as "${name}": small letters, digits and hyphens, and not one of ${[...TAKEN].join(', ')}.`)
    if (typeof dialect?.read !== 'function' || typeof dialect.encoder !== 'function' || typeof dialect.body !== 'object') invalid(`the dialect "${name}" must have "body", "read" and "encoder".`)
    dialects[name] = dialect
  }
  return dialects
}

/** Adds the routes of dialects. */
export function mountDialects (scope: FastifyInstance, dialects: Record<string, Dialect>, { dialectBodyBytes }: { dialectBodyBytes: number }): void {
  for (const [name, dialect] of Object.entries(dialects)) scope.register(dialectRoutes, { name, dialect, bodyLimit: dialectBodyBytes })
}

function invalid (problem: string): never {
  throw runsError('AGENT_RUNS_INVALID_PLUGIN_OPTIONS', [problem])
}
