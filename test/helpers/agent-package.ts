/* Packages of test/agents: real agents, too heavy for everyone's node_modules. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'

const HOME = new URL('../agents/', import.meta.url)

export interface AgentPackage {
  /** Why tests that need it are skipped; false where it is installed, and in CI, where its absence is to fail them. */
  skip: string | false
  load: () => Promise<unknown>
}

export function agentPackage (name: string): AgentPackage {
  const isInstalled = existsSync(new URL(`node_modules/${name}/package.json`, HOME))
  return {
    skip: isInstalled || process.env['CI'] ? false : `${name} is not installed: npm ci --prefix test/agents`,
    load: () => import(pathToFileURL(createRequire(fileURLToPath(HOME)).resolve(name)).href)
  }
}
