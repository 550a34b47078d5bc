/* Agents that call their sessions what could be taken for an option. */
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import type { Provider } from '../../index.ts'
import { claudeCli } from '../../providers/command/claude-cli.ts'
import { codexCli } from '../../providers/command/codex-cli.ts'
import { command } from '../../providers/command/command.ts'
import { tempDir } from '../helpers/temp-dir.ts'
import { said, warnedApp } from '../helpers/warned-app.ts'

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
      const { say, warnings } = await warnedApp(t, create(agentOf(t, line, says, id)))
      const first = said(await say('hello'))
      t.not(first, '', 'the agent said its arguments')
      t.equal(said(await say('again')), first, `${id}: the same arguments, without the id`)
      t.match(warnings, [/session id cannot be an argument/])
    }
    const { say, warnings } = await warnedApp(t, create(agentOf(t, line, says, '"native-0123"')))
    await say('hello')
    t.match(said(await say('again')), /resume.*\|s(\||$)/, 'another is; the client reads its own')
    t.strictSame(warnings, [])
  })
}
