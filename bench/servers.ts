/* The servers, ours and the bare one, on a directory of their own. */
import { join } from 'node:path'
import type { Answers } from './answer.ts'
import { Child } from './child.ts'
import type { PeerName } from './peers/packages.ts'
import type { BareServer } from './processes/bare-server.ts'
import type { PeerServer } from './processes/peer-server.ts'
import type { RunsServer } from './processes/runs-server.ts'
import { inScratch } from './scratch.ts'

/** A process that listens. */
export interface Server<A extends Answers> {
  child: Child<A>
  port: number
}

export interface Servers {
  /** The database of ours. */
  path: string
  /** Where more files may lie. */
  directory: string
  ours: Server<RunsServer>
  bare: Server<BareServer>
}

/** Starts both, for as long as `work` takes. */
export async function withServers (work: (servers: Servers) => Promise<void>): Promise<void> {
  await inScratch(async (directory) => {
    const path = join(directory, 'runs.db')
    await withServer<RunsServer, void>('runs-server', [path], (ours) => withServer<BareServer, void>('bare-server', [], (bare) => work({ path, directory, ours, bare })))
  })
}

/** Starts a server of each of these packages, for as long as `work` takes. */
export async function withPeers<Name extends PeerName> (names: readonly Name[], work: (servers: Array<{ name: Name, peer: Server<PeerServer> }>) => Promise<void>, started: Array<{ name: Name, peer: Server<PeerServer> }> = []): Promise<void> {
  const name = names[started.length]
  if (name === undefined) await work(started)
  else await withServer<PeerServer, void>('peer-server', [name], (peer) => withPeers(names, work, [...started, { name, peer }]))
}

/** Starts a server of bench/processes, for as long as `work` takes; answers what that answers. */
export async function withServer<A extends Answers & { port: () => number }, T> (name: string, args: string[], work: (server: Server<A>) => Promise<T>): Promise<T> {
  const child = Child.start<A>(name, args)
  try {
    const port = await (child as unknown as Child<{ port: () => number }>).ask('port')
    return await work({ child, port })
  } finally {
    await child.stop()
  }
}
