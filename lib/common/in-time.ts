/* How long a caller waits for an answer that needs several steps. */
import { runsError } from '../protocol/errors.ts'
import { atMost } from './at-most.ts'

/** In ms. */
const ANSWER_MS = 5_000

/** What `work` comes to; rejects with STORE_UNAVAILABLE if that takes too long. `work` goes on. */
export async function inTime<T> (work: Promise<T>): Promise<T> {
  let answer: { value: T } | null = null
  await atMost(ANSWER_MS, work.then((value) => { answer = { value } }))
  if (answer === null) throw runsError('STORE_UNAVAILABLE', [], { cause: new Error(`not known after ${ANSWER_MS} ms`) })
  return (answer as { value: T }).value
}
