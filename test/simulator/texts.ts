/* What a client that keeps to the protocol has on its screen: deltas append, a snapshot sets, a whole replaces. */
import type { Event } from '../../lib/protocol/event.ts'

const WHOLE_OF = { stream_delta: 'text', thinking_delta: 'thinking' } as const

/** Of one session: per run, what each message says by `kind:messageId`. */
export class Texts {
  readonly #runs = new Map<string, Map<string, string>>()

  of (runId: string): Map<string, string> {
    let run = this.#runs.get(runId)
    if (run === undefined) this.#runs.set(runId, run = new Map())
    return run
  }

  /** Takes an event in; answers the key of the message that it changed, or null. */
  take (event: Event): string | null {
    if (event.kind === 'text' || event.kind === 'thinking') {
      const key = `${event.kind}:${event.messageId}`
      this.of(event.runId).set(key, event.content as string)
      return key
    }
    if (event.kind !== 'stream_delta' && event.kind !== 'thinking_delta') return null
    const key = `${WHOLE_OF[event.kind]}:${event.messageId}`
    const run = this.of(event.runId)
    run.set(key, event.snapshot === true ? event.content : (run.get(key) ?? '') + event.content)
    return key
  }

  clear (): void {
    this.#runs.clear()
  }
}
