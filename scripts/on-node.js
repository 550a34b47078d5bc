// Runs `node …args`, or a tool of node_modules/.bin, on a Node that the project supports: the caller's own if it is new
// enough, else the one in scripts/node, else none.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname } from 'node:path'

// As in package.json: below it the driver of the database crashes.
const OLDEST = [22, 14]
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP']

const [first, ...rest] = process.argv.slice(2)
const tool = `node_modules/.bin/${first}`
const args = existsSync(tool) ? [realpathSync(tool), ...rest] : [first, ...rest]

const node = findNode()
if (node === null) {
  process.stderr.write(`This repository needs Node ${OLDEST.join('.')} or newer. Yours is ${process.version}, and scripts/node has none for ${process.platform} ${process.arch}.\n`)
  process.exit(1)
}
// What the command starts by the name `node` is the same Node.
const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` }
const child = spawn(node, args, { stdio: 'inherit', env })
for (const signal of FORWARDED) process.on(signal, () => child.kill(signal))
child.on('exit', (code, signal) => {
  if (signal === null) process.exit(code)
  for (const each of FORWARDED) process.removeAllListeners(each)
  process.kill(process.pid, signal)
})

function findNode () {
  // Scripts of npm find the `node` of node_modules/.bin first; npm's own is the caller's.
  const own = process.env.npm_node_execpath ?? process.execPath
  return [own, process.execPath, pinned()].find((path) => path !== null && isNewEnough(path)) ?? null
}

function isNewEnough (path) {
  const version = path === process.execPath ? process.version : spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout
  const [, major = 0, minor = 0] = /^v(\d+)\.(\d+)/.exec(version ?? '') ?? []
  return Number(major) > OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) >= OLDEST[1])
}

function pinned () {
  try {
    return createRequire(import.meta.url).resolve(`node-${process.platform}-${process.arch}/bin/node`)
  } catch {
    return null
  }
}
