import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import type { Event, Provider } from '../../index.ts'
import { claudeCli } from '../../providers/command/claude-cli.ts'
import { codexCli } from '../../providers/command/codex-cli.ts'
import { command } from '../../providers/command/command.ts'
import { buildApp } from '../helpers/build-app.ts'
import { tempDir } from '../helpers/temp-dir.ts'

/** An app of one provider, and the warnings that it logs. */
async function world (t: Test, provider: Provider) {
  const warnings: string[] = []
  const logger = { level: 'warn', stream: { write: (line: string) => { warnings.push((JSON.parse(line) as { msg: string }).msg) } } }
  const app = await buildApp(t, { providers: { agent: provider }, store: ':memory:' }, { logger })
  return {
    warnings,
    /** The events of a message's run, without the message. */
    async say (content: unknown): Promise<Event[]> {
      const { cursor } = await app.agentRuns.startRun({ sessionId: 's', content: content as string })
      const events: Event[] = []
      for await (const event of app.agentRuns.subscribe('s', { after: cursor + 1 })) {
        if ('seq' in event) events.push(event)
        if (event.kind === 'complete') break
      }
      return events
    }
  }
}

const said = (events: Event[]): string => events.flatMap((event) => event.kind === 'text' ? [String(event.content)] : []).join('')

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
    const { say } = await world(t, command(options))
    t.match(await say(content), [{ kind: 'complete', exitCode: 1, error: { code } }])
    t.equal(isStarted(), false)
  })
}

test('a message that is longer than arguments may be fails with a code', { skip: process.platform === 'linux' ? false : 'the limit is that of Linux' }, async (t) => {
  const { options, isStarted } = witness(t, '{message}')
  const { say } = await world(t, command(options))
  t.match(await say('x'.repeat(200_000)), [{ kind: 'complete', error: { code: 'MESSAGE_TOO_LONG' } }])
  t.equal(isStarted(), false)
})

test('an argument of the host\'s that no program can be given is a command that cannot be started', async (t) => {
  const { say } = await world(t, command({ command: process.execPath, args: ['a\0b'] }))
  t.match(await say('hello'), [{ kind: 'complete', exitCode: 127, error: { code: 'COMMAND_NOT_STARTED' } }])
})

test('behind "--" a host may allow the dash; on standard input it needs no leave', async (t) => {
  const { options } = witness(t, '--', '{message}')
  const { say } = await world(t, command({ ...options, allowLeadingDash: true }))
  t.equal(said(await say('--version')), '--version')
  t.match(await (await world(t, command({ ...options, allowLeadingDash: true }))).say('--a\0'), [{ error: { code: 'MESSAGE_HAS_NUL' } }], 'and nothing else')
  const { say: pipe } = await world(t, command({ command: 'cat' }))
  t.equal(said(await pipe('--version')), '--version')
})

test('a dash inside a message is no option', async (t) => {
  const { options } = witness(t, '--', '{message}')
  const { say } = await world(t, command(options))
  t.equal(said(await say('1 - 1 --x')), '1 - 1 --x')
})

// What an agent may call its session, in JSON.
const IDS = ['"--dangerously-skip"', '"-x"', '"a\\u0000b"', '"{message}"']

/** A program that says that its session has this id, and its own arguments. */
function agentOf (t: Test, line: (id: string) => string, says: string, id: string): string {
  const program = join(tempDir(t), 'agent.mjs')
  writeFileSync(program, `#!${process.execPath}
    process.stdin.resume()
    process.stdin.on('end', () => {
      console.log(${JSON.stringify(line(id))})
      const text = JSON.stringify(process.argv.slice(2).join('|'))
      console.log(${JSON.stringify(says)}.replace('TEXT', () => text))
    })`)
  chmodSync(program, 0o755)
  return program
}

for (const [name, create, line, says] of [
  ['codexCli', (program) => codexCli({ command: program }), (id) => `{"type":"thread.started","thread_id":${id}}`, '{"type":"item.completed","item":{"id":"1","type":"agent_message","text":TEXT}}'],
  ['claudeCli', (program) => claudeCli({ command: program }), (id) => `{"type":"system","subtype":"init","session_id":${id}}`, '{"type":"assistant","message":{"content":[{"type":"text","text":TEXT}]}}'],
  ['command', (program) => command({ command: program, args: ({ providerSessionId }) => ['start', ...providerSessionId === null ? [] : ['resume', providerSessionId]] }), (id) => `{"kind":"session_created","newSessionId":${id}}`, '{"kind":"text","content":TEXT}']
] as Array<[string, (program: string) => Provider, (id: string) => string, string]>) {
  test(`${name}: a session id that could be taken for an option is not resumed`, async (t) => {
    for (const id of IDS) {
      const { say, warnings } = await world(t, create(agentOf(t, line, says, id)))
      const first = said(await say('hello'))
      t.not(first, '', 'the agent said its arguments')
      t.equal(said(await say('again')), first, `${id}: the same arguments, without the id`)
      t.match(warnings, [/session id cannot be an argument/])
    }
    const { say, warnings } = await world(t, create(agentOf(t, line, says, '"native-0123"')))
    await say('hello')
    t.match(said(await say('again')), /resume.*\|s(\||$)/, 'another is; the client reads its own')
    t.strictSame(warnings, [])
  })
}
