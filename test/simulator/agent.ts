/* An agent that plays its script: the provider of all servers. */
import { type Provider, ProviderError, type ProviderEvent, type RunContext } from '../../lib/provider/provider.ts'
import type { FaultyStore } from './faulty-store.ts'
import { type Asking, plainScript, type Script, writeScript } from './script.ts'
import type { World } from './world.ts'

/** A message that begins so is answered at once, whatever the times. */
export const PROBE = 'probe'

/** Why a request may be refused. */
const TOO_MUCH = new Set(['TOO_MANY_PERMISSIONS', 'TOO_MANY_EVENTS', 'RUN_TOO_LARGE'])

/** The agent as it is in one process. */
export function agentIn (process: FaultyStore, world: World): Provider {
  return {
    run (context) {
      const { prng, performances } = world
      const name = `r${performances.size + 1}`
      const known = context.providerSessionId
      const script = (context.content as string).startsWith(PROBE) ? plainScript(name) : writeScript(prng, name, known)
      if (performances.has(context.runId)) world.journal.violation('C4', `${context.runId} is driven twice`)
      performances.set(context.runId, script)
      world.journal.note(`${process.name} runs ${context.runId} as ${name}: ${script.steps.length} steps, then ${script.ending}`)
      return play(script, context, process, world)
    },
    async endSession () {
      await world.loop.step()
      if (world.prng.chance(0.2)) throw new Error('the agent could not end the session')
    }
  }
}

async function * play (script: Script, context: RunContext, process: FaultyStore, world: World): AsyncGenerator<ProviderEvent> {
  const { loop } = world
  const { signal } = context
  const heeds = (): boolean => signal.aborted && (script.stopped !== 'ignore' || world.winding)
  const wait = async (ms: number): Promise<void> => {
    const until = loop.now + ms
    while (loop.now < until && !heeds()) await loop.sleep(Math.min(100, until - loop.now))
    if (process.dead) await new Promise(() => {})
  }
  for (const step of script.steps) {
    if (heeds()) break
    if ('pauses' in step) await wait(step.pauses)
    else if ('asks' in step) await ask(step.asks, context, world)
    else yield step.yields as ProviderEvent
  }
  while (script.ending === 'hang' && !heeds() && !world.winding) await wait(1_000)
  if (signal.aborted) {
    if (script.stopped === 'throw') throw new Error('stopped')
    return
  }
  if (script.ending === 'throw') throw new Error('the agent broke')
  if (script.ending === 'fail') throw new ProviderError(`the agent ${script.nativeIds[0] ?? ''} failed`, { code: 'AGENT_FAILED', exitCode: 4 })
  if (script.ending === 'complete') yield { kind: 'complete', exitCode: script.exitCode, usage: { of: script.nativeIds[0] ?? 'nobody' } }
}

/** Asks for leave, and compares what it hears with the log; resolves at once unless the agent waits for it. */
async function ask ({ name, request, waits, withdrawnAfter }: Asking, { requestPermission, signal }: RunContext, { loop, journal, ledger }: World): Promise<void> {
  const controller = new AbortController()
  const withdrawn = new Error('withdrawn')
  const heard = requestPermission(request, { signal: withdrawnAfter === 'stop' ? signal : controller.signal }).then((decision) => {
    journal.note(`the agent of ${name} is told ${JSON.stringify(decision)}`)
    ledger.approvals.told(name, decision, signal.aborted)
  }, (error: Error) => {
    const isExpected = error instanceof ProviderError ? TOO_MUCH.has(error.code) : error.name === 'AbortError' || error === withdrawn
    if (!isExpected) journal.violation('C11', `the agent of ${name} was told ${String(error)}`)
  })
  if (withdrawnAfter === 0) controller.abort(withdrawn)
  else if (typeof withdrawnAfter === 'number') void loop.sleep(withdrawnAfter).then(() => controller.abort(withdrawn))
  if (waits) await heard
}
