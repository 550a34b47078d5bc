/* An agent that plays its script: the provider of all servers. */
import { type Provider, ProviderError, type ProviderEvent, type RunContext } from '../lib/provider.ts'
import type { FaultyStore } from './faulty-store.ts'
import { plainScript, type Script, writeScript } from './script.ts'
import type { World } from './world.ts'

/** A message that begins so is answered at once, whatever the times. */
export const PROBE = 'probe'

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

async function * play (script: Script, { signal }: RunContext, process: FaultyStore, world: World): AsyncGenerator<ProviderEvent> {
  const { loop } = world
  const heeds = (): boolean => signal.aborted && (script.stopped !== 'ignore' || world.winding)
  const wait = async (ms: number): Promise<void> => {
    const until = loop.now + ms
    while (loop.now < until && !heeds()) await loop.sleep(Math.min(100, until - loop.now))
    if (process.dead) await new Promise(() => {})
  }
  for (const step of script.steps) {
    if (heeds()) break
    if ('pauses' in step) await wait(step.pauses)
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
