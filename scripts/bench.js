// The benches, compiled as the package is: to keep the names of functions tsx adds code that takes time and memory.
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')

rmSync('.bench', { recursive: true, force: true })
execFileSync(process.execPath, [tsc, '-p', 'tsconfig.bench.json'], { stdio: 'inherit' })
cpSync('db/sqlite/migrations', '.bench/db/sqlite/migrations', { recursive: true })
process.exitCode = spawnSync(process.execPath, ['.bench/bench/run.js', ...process.argv.slice(2)], { stdio: 'inherit' }).status ?? 1
