// dist/: the compiled sources, and the migrations and the playground beside the code that reads them.
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')

rmSync('dist', { recursive: true, force: true })
execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
cpSync('db/migrations', 'dist/db/migrations', { recursive: true, filter: (path) => !path.endsWith('.json') })
cpSync('playground', 'dist/playground', { recursive: true, filter: (path) => !path.endsWith('.md') })
rmSync('dist/db/migrations/meta', { recursive: true, force: true })
chmodSync('dist/server.js', 0o755)
