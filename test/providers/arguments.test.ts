import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { command } from '../../providers/command/command.ts'
import { tempDir } from '../helpers/temp-dir.ts'
import { said, warnedApp } from '../helpers/warned-app.ts'

/** A program that leaves a file behind to tell that it was started, and says its arguments. */
function witness (t: Test, ...args: string[]) {
  const started = join(tempDir(t), 'started')
  const script = `require('node:fs').writeFileSync(${JSON.stringify(started)}, ''); process.stdout.write(process.argv.slice(1).join('|'))`
  return { options: { command: process.execPath, args: ['-e', script, ...args] }, isStarted: () => existsSync(started) }
}

for (const [what, content, code] of [
  ['begins with a dash', '--output=/tmp/x', 'MESSAGE_LOOKS_LIKE_OPTION'],
  ['is a dash', '-', 'MESSAGE_LOOKS_LIKE_OPTION'],
  ['begins with a dash in parts', [{ type: 'text', text: '-v' }, { type: 'text', text: 'x' }], 'MESSAGE_LOOKS_LIKE_OPTION'],
  ['is empty', [{ type: 'text', text: '' }], 'MESSAGE_EMPTY'],
  ['holds a NUL character', 'a\0b', 'MESSAGE_HAS_NUL']
] as const) {
  test(`a message that ${what} becomes no argument, and no process starts`, async (t) => {
    const { options, isStarted } = witness(t, '{message}')
    const { say } = await warnedApp(t, command(options))
    t.match(await say(content), [{ kind: 'complete', exitCode: 1, error: { code } }])
    t.equal(isStarted(), false)
  })
}

test('a message that is longer than arguments may be fails with a code', { skip: process.platform === 'linux' ? false : 'the limit is that of Linux' }, async (t) => {
  const { options, isStarted } = witness(t, '{message}')
  const { say } = await warnedApp(t, command(options))
  t.match(await say('x'.repeat(200_000)), [{ kind: 'complete', error: { code: 'MESSAGE_TOO_LONG' } }])
  t.equal(isStarted(), false)
})

test('an argument of the host\'s that no program can be given is a command that cannot be started', async (t) => {
  const { say } = await warnedApp(t, command({ command: process.execPath, args: ['a\0b'] }))
  t.match(await say('hello'), [{ kind: 'complete', exitCode: 127, error: { code: 'COMMAND_NOT_STARTED' } }])
})

test('behind "--" a host may allow the dash; on standard input it needs no leave', async (t) => {
  const { options } = witness(t, '--', '{message}')
  const { say } = await warnedApp(t, command({ ...options, allowLeadingDash: true }))
  t.equal(said(await say('--version')), '--version')
  t.match(await (await warnedApp(t, command({ ...options, allowLeadingDash: true }))).say('--a\0'), [{ error: { code: 'MESSAGE_HAS_NUL' } }], 'and nothing else')
  const { say: pipe } = await warnedApp(t, command({ command: 'cat' }))
  t.equal(said(await pipe('--version')), '--version')
})

test('a dash inside a message is no option', async (t) => {
  const { options } = witness(t, '--', '{message}')
  const { say } = await warnedApp(t, command(options))
  t.equal(said(await say('1 - 1 --x')), '1 - 1 --x')
})
