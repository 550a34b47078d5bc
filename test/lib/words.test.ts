/* What follows from the schemas of the wire is in the repository as it would be generated now. */
import { readFileSync } from 'node:fs'
import { test } from 'tap'
import type { Static } from 'typebox'
import type { MessageContent as ContentSchema } from '../../lib/protocol/schemas/values.ts'
import type { Run, Session } from '../../lib/protocol/schemas/sessions.ts'
import type { MessageContent, RunState, SessionView } from '../../lib/protocol/words.ts'
import { withTables } from '../../scripts/generate/tables.ts'
import { wordsFile } from '../../scripts/generate/types.ts'

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

test('the types of the wire are those of its schemas ("npm run generate" writes them)', (t) => {
  t.equal(read('lib/protocol/words.ts'), wordsFile())
  t.end()
})

test('the tables of the protocol are those of its schemas ("npm run generate" writes them)', (t) => {
  const document = read('docs/PROTOCOL.md')
  t.equal(document, withTables(document))
  t.end()
})

test('the compiler, too, sees the same in types and schemas', (t) => {
  type Same<A, B> = [A] extends [B] ? [B] extends [A] ? true : false : false
  const same: [Same<MessageContent, Static<typeof ContentSchema>>, Same<RunState, Static<typeof Run>>, Same<keyof SessionView, keyof Static<typeof Session>>] = [true, true, true]
  t.ok(same.every(Boolean))
  t.end()
})

test('every error that a client may get has its row in the protocol, with its status', async (t) => {
  const { runsError, ERROR_CODES } = await import('../../lib/protocol/errors.ts')
  const document = read('docs/PROTOCOL.md')
  const rows = document.slice(document.indexOf('## Errors')).split('\n')
  for (const code of ERROR_CODES) {
    const row = rows.find((line) => line.includes(`\`${code}\``))
    if (!t.ok(row, code) || row === undefined) continue
    if (row.startsWith('|') && !/\|\s+\|/.test(row)) t.ok(row.includes(`| ${runsError(code).statusCode} |`), row)
  }
})
