/* The standalone server's app as its flags make it, on a store of its own, closed with the test; and all that it logs. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { buildApp } from '../../standalone/app.ts'
import { readSettings } from '../../standalone/flags.ts'
import { tempDir } from './temp-dir.ts'

export interface Standalone {
  app: FastifyInstance
  /** The lines of the log, at its most talkative. */
  lines: string[]
}

export async function buildStandalone (t: Test, args: string[] = []): Promise<Standalone> {
  const lines: string[] = []
  const settings = readSettings(['--db', ':memory:', '--close-grace-ms', '0', '--log-level', 'trace', ...args], {})
  const app = await buildApp(settings, { write: (line) => { lines.push(line) } })
  t.teardown(() => app.close())
  return { app, lines }
}

/** The path of a file that holds `content`, as JSON unless it is text. */
export function tokensFile (t: Test, content: unknown): string {
  const path = join(tempDir(t), 'tokens.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}
