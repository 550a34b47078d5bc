/* Opens the store in argv[2] when told to, and writes to it as fast as it may. */
import { once } from 'node:events'
import { sqliteStore } from '../../../db/sqlite/store.ts'

const store = sqliteStore({ path: process.argv[2]! })
process.stdout.write('ready\n')
await once(process.stdin, 'data')
await store.open()
await store.createSession({ id: 'shared', owner: '', provider: null, title: null, metadata: {} })
for (let i = 0; i < 200; i++) await store.createSession({ id: `${process.pid}-${i}`, owner: '', provider: null, title: null, metadata: {} })
await store.close()
process.exit(0)
