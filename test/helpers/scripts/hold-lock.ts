/* Holds the instance lock argv[3] of the database argv[2] until it dies. */
import { InstanceLocks } from '../../../db/instance-lock.ts'

new InstanceLocks(process.argv[2]!).acquire(process.argv[3]!)
process.stdout.write('held\n')
process.stdin.resume()
