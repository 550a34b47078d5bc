/* What this page has sent, and what waits in the session that is open. */

export class Outbox {
  #client
  /** The content of what this page sent, by run, until the run is in the transcript. */
  #sent = new Map()
  #queued = []
  #asked = 0
  /** The message whose answer never came, and its key: sent again, it is the same run. */
  #unanswered = null

  /** @param {any} client */
  constructor (client) {
    this.#client = client
  }

  /** Sends a message. Throws what the server says. */
  async send (sessionId, message) {
    const text = JSON.stringify([sessionId, message])
    const { key } = this.#unanswered = this.#unanswered?.text === text ? this.#unanswered : { text, key: newKey() }
    try {
      const started = await this.#client.send(sessionId, message, { idempotencyKey: key })
      this.#sent.set(started.runId, { sessionId, runId: started.runId, status: started.status, content: message.content, aborted: null })
      this.#unanswered = null
    } catch (error) {
      // It was answered, and refused.
      if (error.code !== 'NETWORK') this.#unanswered = null
      throw error
    }
  }

  /** Asks what waits in a session. Throws what the server says. */
  async refresh (sessionId) {
    const asked = ++this.#asked
    const runs = await this.#client.listRuns(sessionId, { limit: 50 })
    if (asked === this.#asked) this.#queued = runs.filter(({ status }) => status === 'queued').reverse()
  }

  /** Forgets what waits: another session is being opened. */
  clear () {
    this.#asked++
    this.#queued = []
  }

  /** What is not in the transcript yet, in the order of its turns. `hears` says whether the page would know of a run that has begun. */
  waiting (sessionId, runs, hears) {
    for (const { runId } of runs) this.#sent.delete(runId)
    const begun = new Set(runs.map(({ runId }) => runId))
    const queued = this.#queued.filter(({ runId }) => !begun.has(runId))
    const listed = new Set(queued.map(({ runId }) => runId))
    const unheard = hears ? [] : [...this.#sent.values()].filter((sent) => sent.sessionId === sessionId && !listed.has(sent.runId))
    return [...unheard, ...queued.map((run) => ({ ...run, content: this.#sent.get(run.runId)?.content ?? null }))]
  }
}

/** As `crypto.randomUUID`, which there is only on pages that came by https or from this machine. */
function newKey () {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
