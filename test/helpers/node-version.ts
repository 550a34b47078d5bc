/* Other versions of Node, of test/node-versions: too heavy for everyone's node_modules. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export interface NodeVersion {
  /** Why tests that need it are skipped; false where it is installed, and in CI, where its absence is to fail them. */
  skip: string | false
  /** The binary. */
  path: string
}

export function nodeVersion (major: '20' | '22' | '26'): NodeVersion {
  const name = `node${major}${process.arch === 'x64' ? '' : `-${process.arch}`}`
  const path = fileURLToPath(new URL(`../node-versions/node_modules/${name}/bin/node`, import.meta.url))
  return {
    skip: existsSync(path) || process.env['CI'] ? false : `Node ${major} is not installed: npm ci --prefix test/node-versions`,
    path
  }
}
