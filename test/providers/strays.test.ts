/* Searches in tables of a few processes each: the machine's own table also has processes of others. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test, type Test } from 'tap'
import { command } from '../../providers/command/command.ts'
import { ProcessTable } from '../../providers/process/process-table.ts'
import { killOrphans, killStrays, lookAfterStrays, strayMark, STRAY_VARIABLE } from '../../providers/process/strays.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const skip = process.platform === 'linux' ? false : 'processes are found by Linux\' /proc'
const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** The mark of an agent whose server has died. */
function deadMark (): string {
  const { pid } = spawnSync('true')
  return [readlinkSync('/proc/self/ns/pid').replace(/\D/g, ''), pid, 1, randomUUID()].join(':')
}

/** A process that never ends, with a mark. */
function sleeper (t: Test, mark: string): { pid: number, ended: Promise<NodeJS.Signals | null>, child: ChildProcess } {
  const child = spawn('sleep', ['1000'], { env: { ...process.env, [STRAY_VARIABLE]: mark }, stdio: 'ignore' })
  t.teardown(() => { child.kill('SIGKILL') })
  return { child, pid: child.pid!, ended: new Promise((resolve) => { child.on('exit', (_, signal) => resolve(signal)) }) }
}

/** A table of real processes, by links. */
function tableOf (t: Test, ...pids: Array<number | 'self'>): string {
  const root = tempDir(t)
  for (const pid of pids) symlinkSync(`/proc/${pid}`, join(root, String(pid)))
  return root
}

/** Writes what a table tells of a process that there is not. */
function pretend (root: string, pid: number, mark: string, parent = 1, started = '1'): void {
  mkdirSync(join(root, String(pid)), { recursive: true })
  writeFileSync(join(root, String(pid), 'environ'), `A=b\0${STRAY_VARIABLE}=${mark}\0C=d\0`)
  writeFileSync(join(root, String(pid), 'stat'), `${pid} (a ) b) S ${parent} ${'0 '.repeat(17)}${started} 0`)
}

/** Means that only write down whom they would kill. */
function witness (root: string, onKill = (_: number): void => {}) {
  const killed: number[] = []
  return { killed, means: { table: new ProcessTable(root), kill: (pid: number) => { killed.push(pid); onKill(pid) } } }
}

/** A search goes on for some rounds while those that it has killed are still there. */
const once = (pids: number[]): number[] => [...new Set(pids)]

test('what carries a mark that a dead server gave is killed; what a living one gave is not', { skip }, async (t) => {
  const orphan = sleeper(t, deadMark())
  const agent = sleeper(t, strayMark()[STRAY_VARIABLE]!)
  const [namespace, ...rest] = deadMark().split(':')
  const elsewhere = sleeper(t, [Number(namespace) + 1, ...rest].join(':'))
  const unknown = [sleeper(t, [namespace, rest[0]].join(':')), sleeper(t, ['', ...rest].join(':')), sleeper(t, 'nonsense'), sleeper(t, '')]
  const table = new ProcessTable(tableOf(t, 'self', process.pid, orphan.pid, agent.pid, elsewhere.pid, ...unknown.map(({ pid }) => pid)))
  await killOrphans({ table, kill: (pid) => process.kill(pid, 'SIGKILL') })
  t.equal(await orphan.ended, 'SIGKILL')
  t.strictSame([agent, elsewhere, ...unknown].map(({ child }) => child.exitCode ?? child.signalCode), [null, null, null, null, null, null])
})

test('a server that cannot be read is not taken for dead while there is a process of its pid', { skip }, async (t) => {
  const alive = strayMark()[STRAY_VARIABLE]!
  const root = tableOf(t, 'self')
  pretend(root, 1_000_001, alive)
  pretend(root, 1_000_002, deadMark())
  const { killed, means } = witness(root)
  await killOrphans(means)
  t.strictSame(once(killed), [1_000_002])
})

test('a process that has the pid of a dead server is not that server', { skip }, async (t) => {
  const [namespace, , started] = strayMark()[STRAY_VARIABLE]!.split(':')
  const root = tableOf(t, 'self')
  pretend(root, 1_000_001, [namespace, 1_000_003, started, 'a'].join(':'))
  pretend(root, 1_000_002, [namespace, 1_000_003, '7', 'b'].join(':'))
  pretend(root, 1_000_003, 'none', 1, '7')
  const { killed, means } = witness(root)
  await killOrphans(means)
  t.strictSame(once(killed), [1_000_001])
})

for (const [search, find] of [
  ['what an agent left behind', (mark: string, means: object) => killStrays({ [STRAY_VARIABLE]: mark }, means as Parameters<typeof killStrays>[1])],
  ['agents of dead servers', (_: string, means: object) => killOrphans(means as Parameters<typeof killOrphans>[0])]
] as const) {
  test(`${search}: never this process, nor what started it`, { skip }, async (t) => {
    const mark = deadMark()
    const root = tempDir(t)
    symlinkSync('/proc/self', join(root, 'self'))
    pretend(root, process.pid, `${mark}-of-its-own`, 1_000_002)
    if (search !== 'agents of dead servers') pretend(root, process.pid, mark, 1_000_002)
    pretend(root, 1_000_002, mark, 1_000_003)
    pretend(root, 1_000_003, mark, 1)
    pretend(root, 1_000_004, mark, 1_000_003)
    const { killed, means } = witness(root)
    await find(mark, means)
    t.strictSame(once(killed), [1_000_004])
  })

  test(`${search}: a process that has got the pid of another meanwhile is left alone`, { skip }, async (t) => {
    const mark = deadMark()
    const root = tempDir(t)
    for (const pid of [1_000_001, 1_000_002, 1_000_003]) pretend(root, pid, mark)
    const { killed, means } = witness(root, () => {
      pretend(root, 1_000_001, 'another')
      pretend(root, 1_000_002, 'another')
      writeFileSync(join(root, '1000003', 'environ'), '')
    })
    await find(mark, means)
    t.equal(killed.length, 1)
  })

  test(`${search}: a table that cannot be read is empty`, async (t) => {
    const { killed, means } = witness(join(tempDir(t), 'none'))
    await find(deadMark(), means)
    t.strictSame(killed, [])
  })
}

test('what lives beside this process under the mark that it was itself started with is left alone', { skip }, async (t) => {
  const mark = deadMark()
  const root = tempDir(t)
  for (const pid of [process.pid, 1_000_001]) pretend(root, pid, mark)
  pretend(root, 1_000_002, deadMark())
  const { killed, means } = witness(root)
  await killOrphans(means)
  t.strictSame(once(killed), [1_000_002])
})

test('a process that was started with the mark of a dead server, and its parent, survive a search of theirs', { skip }, async (t) => {
  const orphan = sleeper(t, deadMark())
  const root = tableOf(t, 'self', orphan.pid)
  const script = `
    import { symlinkSync } from 'node:fs'
    import { killOrphans, killStrays, lookAfterStrays, STRAY_VARIABLE } from './providers/process/strays.ts'
    import { ProcessTable } from './providers/process/process-table.ts'
    for (const pid of [process.pid, process.ppid]) symlinkSync('/proc/' + pid, ${JSON.stringify(root)} + '/' + pid)
    const means = { table: new ProcessTable(${JSON.stringify(root)}), kill: (pid) => process.kill(pid, 'SIGKILL') }
    await killStrays({ [STRAY_VARIABLE]: process.env[STRAY_VARIABLE] }, means)
    await killOrphans(means)
    lookAfterStrays({})
    console.log('alive, with', process.env[STRAY_VARIABLE] ?? 'none')
  `
  const { stdout, signal } = spawnSync('sh', ['-c', '"$0" --import tsx --input-type=module -e "$1"; echo and its parent', process.execPath, script], {
    cwd: ROOT, encoding: 'utf8', env: { ...process.env, _TAPJS_PROCESSINFO_COVERAGE_: '0', [STRAY_VARIABLE]: deadMark() }
  })
  t.equal(signal, null)
  t.equal(stdout, 'alive, with none\nand its parent\n')
  t.equal(await orphan.ended, 'SIGKILL')
})

test('a mark that this process was started with goes to none of its children but agents, which get their own', { skip }, async (t) => {
  for (const make of [() => lookAfterStrays({}), () => command({ command: 'true' })]) {
    process.env[STRAY_VARIABLE] = 'inherited'
    make()
    t.equal(process.env[STRAY_VARIABLE], undefined)
    t.equal(spawnSync('sh', ['-c', `echo "$${STRAY_VARIABLE}"`], { encoding: 'utf8' }).stdout, '\n')
  }
  const started = readFileSync('/proc/self/stat', 'latin1').split(') ')[1]!.split(' ')[19]
  const [first, second] = [strayMark(), strayMark()].map((mark) => mark[STRAY_VARIABLE]!)
  t.match(first, `${readlinkSync('/proc/self/ns/pid').replace(/\D/g, '')}:${process.pid}:${started}:`)
  t.not(first, second)
})
