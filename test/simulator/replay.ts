/* Code of the host that reads what is retained, once through. */
import type { RunRegistry } from '../../lib/registry.ts'
import type { SessionLog } from './session-log.ts'
import { Texts } from './texts.ts'
import type { World } from './world.ts'

export async function replay (registry: RunRegistry, log: SessionLog, after: number, { journal }: World): Promise<void> {
  const { lastSeq } = log
  const texts = new Texts()
  const seen = new Set<number>()
  let cursor = after
  const violation = (rule: string, what: string): void => journal.violation(rule, `a replay of ${log.id} after ${after} ${what}`)
  for await (const event of registry.replayEvents(log.id, after)) {
    const { seq, runId } = event
    if (seq <= cursor) violation('C1', `brought ${seq} behind ${cursor}`)
    if (!log.at(seq)?.versions.includes(JSON.stringify(event))) violation('C2', `brought ${JSON.stringify(event)}`)
    seen.add(cursor = seq)
    texts.take(event)
    if (event.kind !== 'complete' || after > 0) continue
    for (const [key, text] of log.textsOf(runId)) {
      if (texts.of(runId).get(key) !== text) violation('text', `says "${texts.of(runId).get(key)}" for ${key} of ${runId}, it is "${text}"`)
    }
  }
  for (const { seq, transient } of log.events.slice(after, lastSeq)) {
    if (!transient && !seen.has(seq)) violation('C1', `did not bring ${seq}`)
  }
}
