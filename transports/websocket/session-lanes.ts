/* Order per session: the work of one session is done one after the other, that of others does not wait for it. */

export class SessionLanes {
  /** The last work of each session that has any. */
  readonly #last = new Map<string, Promise<void>>()

  /** Does `work`, which never rejects, once all earlier work of the session is done: at once if there is none. */
  async do (sessionId: string, work: () => Promise<void>): Promise<void> {
    const before = this.#last.get(sessionId)
    const done = before === undefined ? work() : before.then(work)
    this.#last.set(sessionId, done)
    await done
    if (this.#last.get(sessionId) === done) this.#last.delete(sessionId)
  }
}
