/* Writes what follows from the code: the types and tables of the protocol's words, the reference of the registry, the schema of the server's file, the report of all exports. */
import { readFileSync, writeFileSync } from 'node:fs'
import { CONFIG } from '../../standalone/agents.ts'
import { apiDocument, apiReport } from './api.ts'
import { withTables } from './tables.ts'
import { wordsFile } from './types.ts'

const PROTOCOL = 'docs/PROTOCOL.md'

writeFileSync('lib/protocol/words.ts', wordsFile())
writeFileSync(PROTOCOL, withTables(readFileSync(PROTOCOL, 'utf8')))
writeFileSync('docs/api.md', apiDocument())
writeFileSync('docs/config.schema.json', `${JSON.stringify(CONFIG, null, 2)}\n`)
writeFileSync('test/packages/api-report.txt', apiReport())
