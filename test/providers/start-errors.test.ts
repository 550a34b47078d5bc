/* Programs that cannot be started, and how they say why. */
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import type { Provider } from '../../index.ts'
import { acp } from '../../providers/acp/index.ts'
import { command } from '../../providers/command/command.ts'
import { conversation } from '../helpers/scripted-acp.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const messageOf = async (t: Test, provider: Provider): Promise<unknown> => {
  const { error, exitCode } = (await (await conversation(t, provider)).say()).at(-1) as unknown as { error: { message: string }, exitCode: number }
  t.equal(exitCode, 127)
  return error.message
}

for (const [name, create] of [['command', command], ['acp', acp]] as const) {
  test(`${name}: a program, a directory and a permission that are missing are told apart`, async (t) => {
    const home = tempDir(t)
    const [plain, text] = [join(home, 'plain'), join(home, 'text')]
    writeFileSync(plain, 'echo hi')
    writeFileSync(text, 'x')
    chmodSync(plain, 0o644)
    t.equal(await messageOf(t, create({ command: 'no-such-agent' })), '"no-such-agent" cannot be started: there is no such program. Install it, or name it by its path.')
    t.equal(await messageOf(t, create({ command: 'true', cwd: '/no/such/place' })), '"true" cannot be started: its working directory "/no/such/place" does not exist.')
    t.equal(await messageOf(t, create({ command: 'true', cwd: text })), `"true" cannot be started: its working directory "${text}" does not exist.`)
    t.equal(await messageOf(t, create({ command: plain })), `"${plain}" cannot be started: the server may not execute it.`)
  })

  test(`${name}: arguments and an environment that the system does not take are named`, async (t) => {
    const tooLong = 'x'.repeat(200_000)
    t.equal(await messageOf(t, create({ command: 'true', args: [tooLong] })), '"true" cannot be started: its arguments and environment are longer than the system takes.')
    t.equal(await messageOf(t, create({ command: 'true', env: { TOO_LONG: tooLong } })), '"true" cannot be started: its arguments and environment are longer than the system takes.')
  })
}
