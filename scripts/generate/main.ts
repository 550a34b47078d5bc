/* Writes what follows from the code: the types and tables of the protocol's words, the reference of the registry, the report of all exports. */
import { readFileSync, writeFileSync } from 'node:fs'
import { apiDocument, apiReport } from './api.ts'
import { withTables } from './tables.ts'
import { wordsFile } from './types.ts'

const PROTOCOL = 'docs/PROTOCOL.md'

writeFileSync('lib/protocol/words.ts', wordsFile())
writeFileSync(PROTOCOL, withTables(readFileSync(PROTOCOL, 'utf8')))
writeFileSync('docs/api.md', apiDocument())
writeFileSync('test/packages/api-report.txt', apiReport())
