/* What this page has sent, and what waits in the session that is open. */
import { titleOf } from './wording.js'

export class Outbox {
  #client
  /** The content of what this page sent, by run, until the run is in the transcript. */
  #sent = new Map()
  /** The message whose answer never came, and its key: sent again, it is the same run. */
  #unanswered = null

  /** @param {() => any} client asked for each time */
  constructor (client) {
    this.#client = client
  }

  /** Sends a message. Throws what the server says. */
  async send (sessionId, message) {
    const text = JSON.stringify([sessionId, message])
    const { key } = this.#unanswered = this.#unanswered?.text === text ? this.#unanswered : { text, key: newKey() }
    try {
      const started = await this.#client().send(sessionId, message, { idempotencyKey: key })
      this.#sent.set(started.runId, { sessionId, runId: started.runId, text: titleOf(message.content), status: 'sent' })
      this.#unanswered = null
    } catch (error) {
      // It was answered, and refused.
      if (error.code !== 'NETWORK') this.#unanswered = null
      throw error
    }
  }

  /**
   * What is not in the transcript yet, in the order of its turns.
   * @param {any[]} runs that are in the transcript @param {any[]} queued what the server says that waits @param {boolean} hears whether the page would know of a run that has begun
   */
  waiting (sessionId, runs, queued, hears) {
    for (const { runId } of runs) this.#sent.delete(runId)
    const listed = new Set(queued.map(({ runId }) => runId))
    const unheard = hears ? [] : [...this.#sent.values()].filter((sent) => sent.sessionId === sessionId && !listed.has(sent.runId))
    return [...unheard, ...queued.map(({ runId, preview }) => ({ runId, text: preview, status: 'queued' }))]
  }
}

/** As `crypto.randomUUID`, which there is only on pages that came by https or from this machine. */
function newKey () {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
