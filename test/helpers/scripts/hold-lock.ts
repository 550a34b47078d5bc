/* Holds the instance lock argv[3] of the database argv[2] until it dies. */
import { InstanceLocks } from '../../../db/sqlite/instance-lock.ts'

const locks = new InstanceLocks(process.argv[2]!)
locks.acquire(process.argv[3]!)
process.stdout.write('held\n')
// As long as somebody refers to it: a lock that is collected is given back.
process.stdin.on('data', () => locks.release())
