/* Both servers, ours and the bare one, on a directory of their own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child } from './child.ts'
import type { BareServer } from './processes/bare-server.ts'
import type { RunsServer } from './processes/runs-server.ts'

export interface Servers {
  /** The database of ours. */
  path: string
  ours: { child: Child<RunsServer>, port: number }
  bare: { child: Child<BareServer>, port: number }
}

/** Starts both, for as long as `work` takes. */
export async function withServers (work: (servers: Servers) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'agent-runs-bench-'))
  const path = join(directory, 'runs.db')
  const ours = Child.start<RunsServer>('runs-server', [path])
  const bare = Child.start<BareServer>('bare-server')
  try {
    const [oursPort, barePort] = await Promise.all([ours.ask('port'), bare.ask('port')])
    await work({ path, ours: { child: ours, port: oursPort }, bare: { child: bare, port: barePort } })
  } finally {
    await Promise.all([ours.stop(), bare.stop()])
    rmSync(directory, { recursive: true, force: true })
  }
}
