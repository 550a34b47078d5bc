/* Sessions followed over Server-Sent Events, and steered by requests. */
import type { CompleteEvent } from '../lib/protocol/event.ts'
import type { PermissionDecision, RunState, StartedRun } from '../lib/protocol/words.ts'
import { eventStream } from './event-stream.ts'
import type { Connect } from './following.ts'
import type { ConnectionOptions } from './options.ts'
import type { Requests } from './requests.ts'
import { type Message, namesAny, type StopTarget, type Transport } from './transport.ts'

export class HttpTransport implements Transport {
  readonly #requests: Requests
  readonly #options: ConnectionOptions

  constructor (requests: Requests, options: ConnectionOptions) {
    this.#requests = requests
    this.#options = options
  }

  connect (sessionId: string): Connect {
    const url = this.#requests.url(['sessions', sessionId, 'stream'])
    return (attempt) => eventStream(url, this.#options, attempt)
  }

  async send (sessionId: string, message: Message, idempotencyKey: string, signal: AbortSignal | undefined): Promise<StartedRun> {
    const headers = { 'idempotency-key': idempotencyKey }
    const { body } = await this.#requests.send<StartedRun>({ method: 'POST', path: ['sessions', sessionId, 'messages'], body: message, headers, signal, mayRepeat: true })
    return body
  }

  async abort (sessionId: string, target: StopTarget, signal: AbortSignal | undefined): Promise<CompleteEvent | null> {
    const path = ['sessions', sessionId, 'abort']
    const { status, body } = await this.#requests.send<CompleteEvent | RunState>({ method: 'POST', path, body: target, signal, mayRepeat: namesAny(target) })
    return status === 202 ? null : body as CompleteEvent
  }

  async approve (sessionId: string, requestId: string, decision: PermissionDecision, signal: AbortSignal | undefined): Promise<void> {
    await this.#requests.send({ method: 'POST', path: ['sessions', sessionId, 'permissions', requestId], body: decision, signal, mayRepeat: true })
  }
}
