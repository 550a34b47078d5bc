/*
 * The packages as they are published, and empty projects into which npm has installed them. They are made once for all test
 * files, which run at the same time, and anew when something has changed that they are made of.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import tap, { type Test } from 'tap'
import { tempDir } from './temp-dir.ts'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const CACHE = join(ROOT, 'node_modules/.cache/packed-package')
/** How long a test file may take that waits for another to pack and install, in ms. */
const PATIENCE_MS = 600_000
const NOT_PACKED = /^(node_modules|test|bench|simulator|examples|dist|\..*|.*\.(db|tgz)(-.*)?)$/
// What package managers say when they do not reach the registry.
const UNREACHABLE = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|ENOTCACHED/

/** Child processes of these tests are no part of what is covered: other files would be merged line by wrong line. */
export const ENV = { ...process.env, _TAPJS_PROCESSINFO_COVERAGE_: '0' }

/** The packages, and where `npm publish` takes them from. */
const FOLDERS = { 'fastify-agent-runs': '.', 'fastify-agent-runs-client': 'client', 'fastify-agent-runs-server': 'standalone/dist' }

/** What each project has: the packages that would come from the registry, were they published. */
const PROJECTS = {
  plugin: ['fastify-agent-runs', 'fastify-agent-runs-client'],
  client: ['fastify-agent-runs-client'],
  server: ['fastify-agent-runs', 'fastify-agent-runs-client', 'fastify-agent-runs-server']
} as const

/** The tarballs of a project. */
export function tarballs (project: keyof typeof PROJECTS): string[] {
  return exclusively((cache) => pack(cache, project))
}

/** Why there is no registry to install from; false where there is, and in CI, where its absence is to fail the tests. */
export type Skip = string | false

/** Installs what a package manager is told to; answers why it cannot. Throws for any reason but the registry's absence. */
export function install (directory: string, manager: string, args: string[]): Skip {
  try {
    execFileSync(manager, args, { cwd: directory, env: ENV, encoding: 'utf8', stdio: 'pipe' })
    return false
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string, stderr: string }
    if (!process.env['CI'] && UNREACHABLE.test(stdout + stderr)) return 'the npm registry does not answer'
    throw new Error(`${manager} ${args.join(' ')}: ${stdout}${stderr}`, { cause: error })
  }
}

/** A project of `{ type: module }` with nothing in it. */
export function emptyProject (directory: string): void {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'package.json'), '{"name":"consumer","private":true,"type":"module"}')
}

/** A project in which npm has installed packages, and fastify beside the plugin; `copy` gives a test one of its own. */
export function npmProject (name: keyof typeof PROJECTS = 'plugin'): { skip: Skip, copy: (t: Test) => string } {
  const [skip, project] = exclusively((cache) => {
    const [done, fresh] = [join(cache, name), join(cache, 'unfinished')]
    if (existsSync(done)) return [false, done] as const
    rmSync(fresh, { recursive: true, force: true })
    emptyProject(fresh)
    const skip = install(fresh, 'npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', ...pack(cache, name), ...(name === 'plugin' ? ['fastify'] : [])])
    if (skip === false) renameSync(fresh, done)
    return [skip, done] as const
  })
  return {
    skip,
    copy: (t) => {
      const directory = tempDir(t)
      cpSync(project, directory, { recursive: true, verbatimSymlinks: true })
      return directory
    }
  }
}

function pack (cache: string, project: keyof typeof PROJECTS): string[] {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
  const path = (name: string): string => join(cache, `${name}-${version}.tgz`)
  // The first builds all of them.
  for (const [name, folder] of Object.entries(FOLDERS)) {
    if (!existsSync(path(name))) execFileSync('npm', ['pack', '--pack-destination', cache], { cwd: join(ROOT, folder), env: ENV, stdio: 'pipe' })
  }
  return PROJECTS[project].map(path)
}

/** Does `work` while no other test file does, in a directory for the sources as they are. */
function exclusively<T> (work: (cache: string) => T): T {
  tap.setTimeout(PATIENCE_MS)
  mkdirSync(CACHE, { recursive: true })
  // The lock of a process that dies is free: see db/sqlite/instance-lock.ts.
  const lock = new Database(join(CACHE, 'lock'), { timeout: PATIENCE_MS })
  try {
    lock.exec('BEGIN EXCLUSIVE')
    const cache = join(CACHE, fingerprint())
    if (!existsSync(cache)) {
      for (const name of readdirSync(CACHE)) if (!name.startsWith('lock')) rmSync(join(CACHE, name), { recursive: true })
      mkdirSync(cache)
    }
    return work(cache)
  } finally {
    lock.close()
  }
}

/** Of all that may go into the package. */
function fingerprint (): string {
  const hash = createHash('sha256')
  const add = (path: string): void => {
    if (statSync(path).isFile()) hash.update(`${path}\n`).update(readFileSync(path))
    else for (const name of readdirSync(path).sort()) if (!NOT_PACKED.test(name)) add(join(path, name))
  }
  add(ROOT)
  return hash.digest('hex').slice(0, 16)
}
