import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { InstanceLocks } from '../../db/sqlite/instance-lock.ts'
import { spawnScript } from '../helpers/spawn-script.ts'
import { tempDir } from '../helpers/temp-dir.ts'

test('another process is alive while it lives or is stopped, and dead at once when it is killed', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const locks = new InstanceLocks(path)
  const child = spawnScript(t, 'hold-lock.ts', [path, 'theirs'])
  await child.line('held')
  t.equal(locks.isDead('theirs'), false)
  child.process.kill('SIGSTOP')
  t.equal(locks.isDead('theirs'), false, 'a stopped process may wake up and write')
  await child.kill('SIGKILL')
  t.equal(locks.isDead('theirs'), true)
  t.equal(locks.isDead('theirs'), true, 'asking does not change the answer')
})

test('instances of one process see each other too', (t) => {
  const path = join(tempDir(t), 'runs.db')
  const [one, two] = [new InstanceLocks(path), new InstanceLocks(path)]
  one.acquire('one')
  t.equal(two.isDead('one'), false)
  one.release()
  one.release()
  t.equal(two.isDead('one'), true, 'who gave its lock back drives nothing any more')
  t.equal(two.isDead('never-was'), true)
  t.end()
})

test('a sweep removes what dead instances left, and neither the living nor the wanted', async (t) => {
  const path = join(tempDir(t), 'runs.db')
  const locks = new InstanceLocks(path)
  locks.acquire('own')
  t.teardown(() => locks.release())
  const children = ['living', 'dead', 'wanted'].map((id) => spawnScript(t, 'hold-lock.ts', [path, id]))
  await Promise.all(children.map((child) => child.line('held')))
  await Promise.all([children[1]!.kill('SIGKILL'), children[2]!.kill('SIGKILL')])
  locks.sweep(new Set(['wanted']))
  t.strictSame(readdirSync(`${path}-instances`).sort(), ['living.lock', 'own.lock', 'wanted.lock'])
  t.equal(locks.isDead('living'), false)
  locks.release()
  t.notOk(existsSync(join(`${path}-instances`, 'own.lock')))
})
