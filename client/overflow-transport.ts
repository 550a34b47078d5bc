/* Streams, until a page has as many as it may: what is followed then goes over the WebSocket, if there is one. */
import type { CompleteEvent } from '../lib/protocol/event.ts'
import type { PermissionDecision, StartedRun } from '../lib/protocol/words.ts'
import { RunsClientError } from './errors.ts'
import type { Connect } from './following.ts'
import { areStreamsScarce } from './scarce-streams.ts'
import type { Message, StopTarget, Transport } from './transport.ts'

export class OverflowTransport implements Transport {
  readonly #url: URL
  readonly #http: Transport
  readonly #socket: Transport
  /** The WebSocket could not be opened: the server has none, or a proxy lets none through. */
  #hasNoSocket = false

  /** To the plugin at `url`. */
  constructor (url: URL, http: Transport, socket: Transport) {
    this.#url = url
    this.#http = http
    this.#socket = socket
  }

  connect (sessionId: string): Connect {
    const [streamed, overSocket] = [this.#http.connect(sessionId), this.#socket.connect(sessionId)]
    const isSocketWanted = (): boolean => !this.#hasNoSocket && areStreamsScarce(this.#url)
    const failed = (): void => { this.#hasNoSocket = true }
    return async function * (attempt) {
      let isServed = false
      if (isSocketWanted()) {
        try {
          for await (const frame of overSocket(attempt)) {
            isServed = true
            yield frame
          }
          return
        } catch (error) {
          if (isServed || attempt.signal.aborted || !(error instanceof RunsClientError)) throw error
          failed()
        }
      }
      yield * streamed(attempt)
    }
  }

  send (sessionId: string, message: Message, idempotencyKey: string, signal: AbortSignal | undefined): Promise<StartedRun> {
    return this.#http.send(sessionId, message, idempotencyKey, signal)
  }

  abort (sessionId: string, target: StopTarget, signal: AbortSignal | undefined): Promise<CompleteEvent | null> {
    return this.#http.abort(sessionId, target, signal)
  }

  approve (sessionId: string, requestId: string, decision: PermissionDecision, signal: AbortSignal | undefined): Promise<void> {
    return this.#http.approve(sessionId, requestId, decision, signal)
  }
}
