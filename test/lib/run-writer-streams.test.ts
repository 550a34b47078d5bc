/* How streams of deltas come to be messages, around the scrubber. */
import { test } from 'tap'
import { RunLog } from '../../lib/runs/committer.ts'
import { RunWriter } from '../../lib/runs/run-writer.ts'
import { Scrubber } from '../../lib/runs/scrubber.ts'
import { LIMITS } from '../helpers/limits.ts'

/** What is stored of these events and the end of the run: whether it is transient, and the event. */
function written (ids: string[], events: Array<Record<string, unknown> & { kind: string }>): Array<{ transient: boolean, event: Record<string, unknown> }> {
  const log = new RunLog({ sessionId: 'SESSION', runId: 'r', provider: 'p' }, 0, () => {}, () => {})
  const writer = new RunWriter(log, new Scrubber('SESSION', ids), LIMITS)
  for (const { kind, ...fields } of events) writer.write({ kind, fields })
  writer.end({ exitCode: 0, aborted: false, reason: 'finished' })
  return log.take(true)!.events.map(({ transient, json }) => ({ transient, event: JSON.parse(json) as Record<string, unknown> }))
}

test('a short id does not hit a delta that happens to be the same word', (t) => {
  const stored = written(['42'], ['it is ', '42', '!'].map((content) => ({ kind: 'stream_delta', messageId: 'm', content })))
  t.strictSame(stored.map(({ event }) => event['content']), ['it is ', '42', '!', 'it is 42!', undefined])
  t.end()
})

test('deltas after a stream\'s end do not complete an id that was held back', (t) => {
  const stored = written(['native-12345'], [
    { kind: 'stream_delta', messageId: 'm', content: 'native-' }, { kind: 'stream_end', messageId: 'm' }, { kind: 'stream_delta', messageId: 'm', content: '12345' }
  ])
  const deltas = stored.filter(({ event }) => event['kind'] === 'stream_delta').map(({ event }) => event)
  t.not(deltas[0]!['messageId'], deltas[1]!['messageId'], 'what follows an end is another message')
  t.end()
})
