/* Writes what follows from the schemas in lib/protocol/schemas: types and tables. */
import { readFileSync, writeFileSync } from 'node:fs'
import { withTables } from './tables.ts'
import { wordsFile } from './types.ts'

const PROTOCOL = 'docs/PROTOCOL.md'

writeFileSync('lib/protocol/words.ts', wordsFile())
writeFileSync(PROTOCOL, withTables(readFileSync(PROTOCOL, 'utf8')))
