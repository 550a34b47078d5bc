/* Other packages that do a part of what ours does. They are installed apart, by `npm ci --prefix bench/peers`, or not at all. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Report } from '../measure/comparison.ts'

export type PeerName = '@fastify/sse' | 'better-sse' | 'resumable-stream' | '@durable-streams/server'

// Seen from here, and from where this is when it was compiled.
const HOMES = ['./package.json', '../../../bench/peers/package.json'].map((path) => fileURLToPath(new URL(path, import.meta.url)))
const HOME = HOMES.find((path) => existsSync(path))!
const require = createRequire(HOME)
const NAMES: readonly PeerName[] = ['@fastify/sse', 'better-sse', 'resumable-stream', '@durable-streams/server']

/** Imports a package that is installed there. */
export async function importPeer<Module> (name: string): Promise<Module> {
  return await import(pathToFileURL(require.resolve(name)).href) as Module
}

/** Those of the peers that can be measured; of the others it is reported why they cannot. */
export function presentPeers<Name extends PeerName> (names: readonly Name[], bench: string, report: Report): Name[] {
  return names.filter((name) => {
    const why = missing(name)
    if (why !== null) report({ bench, what: 'all', against: name, skipped: why })
    return why === null
  })
}

/** The versions of those that are installed. */
export function peerVersions (): Record<string, string> {
  return Object.fromEntries(NAMES.flatMap((name) => {
    const path = join(dirname(HOME), 'node_modules', name, 'package.json')
    return existsSync(path) ? [[name, (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version]] : []
  }))
}

function missing (name: PeerName): string | null {
  try {
    require.resolve(name)
  } catch {
    return 'not installed: npm ci --prefix bench/peers'
  }
  return name === 'resumable-stream' && spawnSync('redis-server', ['--version']).status !== 0 ? 'there is no redis-server' : null
}
