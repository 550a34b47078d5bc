/* A provider that a test drives step by step: nothing happens in it unless the test says so. */
import type { Provider, ProviderEvent, RunContext } from '../../lib/provider/provider.ts'
import { latch, type Latch } from './latch.ts'

type Step = { event: unknown } | { end: true } | { error: unknown }

/** One execution, in the hands of the test. */
export class ScriptedRun {
  readonly context: RunContext
  readonly #steps: Array<{ step: Step, taken: Latch }> = []
  #wanted: Latch | null = null
  /** Resolves when the run has told the provider to stop. */
  readonly stopped = latch()

  constructor (context: RunContext) {
    this.context = context
  }

  /** Yields an event; resolves when the run has asked for the next one, so that it has taken this one. */
  async emit (...events: Array<ProviderEvent | Record<string, unknown>>): Promise<void> {
    for (const event of events) await this.#push({ event })
  }

  /** Returns: success. */
  end (): void {
    void this.#push({ end: true })
  }

  /** Throws. */
  fail (error: unknown): void {
    void this.#push({ error })
  }

  #push (step: Step): Promise<void> {
    const taken = latch()
    this.#steps.push({ step, taken })
    this.#wanted?.open()
    return taken.promise
  }

  async * play (): AsyncGenerator<ProviderEvent> {
    for (;;) {
      while (this.#steps.length === 0) {
        this.#wanted = latch()
        await this.#wanted.promise
      }
      const { step, taken } = this.#steps.shift()!
      if ('end' in step) return
      if ('error' in step) throw step.error
      yield step.event as ProviderEvent
      taken.open()
    }
  }
}

export interface ScriptedProvider extends Provider {
  /** The next execution that no one has asked for yet, once it has started. */
  next: () => Promise<ScriptedRun>
}

export function scriptedProvider (more: Partial<Provider> = {}): ScriptedProvider {
  const started: ScriptedRun[] = []
  const wanted: Array<Latch<ScriptedRun>> = []
  return {
    ...more,
    run (context) {
      const run = new ScriptedRun(context)
      context.signal.addEventListener('abort', () => run.stopped.open(), { once: true })
      const waiting = wanted.shift()
      if (waiting === undefined) started.push(run)
      else waiting.open(run)
      return run.play()
    },
    next () {
      const run = started.shift()
      if (run !== undefined) return Promise.resolve(run)
      const waiting = latch<ScriptedRun>()
      wanted.push(waiting)
      return waiting.promise
    }
  }
}
