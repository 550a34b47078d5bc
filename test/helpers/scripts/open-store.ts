/* Opens the store in argv[2] when told to, and uses it. */
import { once } from 'node:events'
import { sqliteStore } from '../../../db/sqlite.ts'

const store = sqliteStore({ path: process.argv[2]! })
process.stdout.write('ready\n')
await once(process.stdin, 'data')
await store.open()
await store.createSession({ id: 'shared', owner: '', provider: null, title: null, metadata: {} })
await store.close()
process.exit(0)
