/* Why runs may end, and what a run that has finished must have said. */
import type { LoggedRun } from './ledger.ts'
import type { World } from './world.ts'

/** Below it messages are sealed. */
const SEALING = 1_000

/** Looks at a run that was just completed. */
export function judgeEnding (run: LoggedRun, world: World): void {
  const { journal, ledger, weather, setting } = world
  const { reason, error, aborted, success, exitCode } = run.complete!
  const asked = ledger.endings.has(run.log.id)
  // A message that was refused as nobody knew whether it was stored is taken back.
  const takenBack = run.cancelled && weather.disturbed
  const allowed = reason === 'aborted' ? asked || takenBack : reason === 'interrupted' ? weather.disturbed : reason === 'timeout' ? setting.runTimeoutMs > 0 : true
  if (!allowed) journal.violation('C5', `${run.runId} was ${reason}, and nobody wanted it`)
  if (error?.code === 'STORE_REFUSED' && !weather.disturbed) journal.violation('C5', `${run.runId} was refused by a store that works`)
  if (success !== (reason === 'finished') || aborted !== (reason === 'aborted') || (exitCode === 0) !== success) {
    journal.violation('C3', `${run.runId} ended in contradiction: ${JSON.stringify(run.complete)}`)
  }
  if (reason === 'finished' && !asked) judgeTexts(run, world)
}

/** Every piece of text that the agent sent, once. */
function judgeTexts (run: LoggedRun, { performances, journal, setting }: World): void {
  const script = performances.get(run.runId)
  if (script === undefined) return journal.violation('C3', `${run.runId} has finished, and was never driven`)
  if (script.ending !== 'return' && script.ending !== 'complete' && script.ending !== 'hang') journal.violation('C3', `${run.runId} has finished, its agent was to ${script.ending}`)
  if (script.tokens === null) return
  const texts = run.log.textsOf(run.runId)
  const wholes = run.log.events.filter(({ runId, kind }) => runId === run.runId && (kind === 'text' || kind === 'thinking')).length
  // A message that was sealed where it ends may still be brought by the agent itself.
  if (wholes !== texts.size && setting.limits.messageBytes > SEALING) journal.violation('text', `${run.runId} has ${texts.size} messages, and ${wholes} wholes`)
  const said = [...texts.values()].join('')
  for (const token of script.tokens) {
    const times = said.split(token).length - 1
    if (times !== 1) journal.violation('text', `${run.runId} says ${token} ${times} times, in ${texts.size} messages: ${said}`)
  }
}
