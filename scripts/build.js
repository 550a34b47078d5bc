// dist/: the compiled sources, and the migrations and the playground beside the code that reads them.
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, normalize } from 'node:path'

const require = createRequire(import.meta.url)

rmSync('dist', { recursive: true, force: true })
execFileSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
cpSync('db/sqlite/migrations', 'dist/db/sqlite/migrations', { recursive: true, filter: (path) => !path.endsWith('.json') })
cpSync('playground', 'dist/playground', { recursive: true, filter: (path) => !path.endsWith('.md') })
rmSync('dist/db/sqlite/migrations/meta', { recursive: true, force: true })
chmodSync('dist/server.js', 0o755)

// Types that no export leads to are of no use to anybody.
const published = new Set()
for (const { types } of Object.values(require('../package.json').exports)) if (types !== undefined) publish(normalize(types))
for (const name of readdirSync('dist', { recursive: true })) {
  const file = join('dist', name)
  if (file.endsWith('.d.ts') && !published.has(file)) rmSync(file)
}

function publish (file) {
  if (published.has(file)) return
  published.add(file)
  for (const [, path] of readFileSync(file, 'utf8').matchAll(/["'](\.{1,2}\/[^"']+)\.ts["']/g)) publish(join(dirname(file), `${path}.d.ts`))
}
