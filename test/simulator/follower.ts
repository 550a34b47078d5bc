/* A client that follows a session: connects here and there, is cut, comes back with the cursor that it has or with an odd one. */
import { hasCode, isRunsError } from '../../lib/protocol/errors.ts'
import { Connection } from './connection.ts'
import { Reader, type Start } from './reader.ts'
import { replay } from './replay.ts'
import { ConnectionLost, type Server } from './server.ts'
import type { World } from './world.ts'

/** How long a client that comes back at the end may take to be told all, in ms. */
const PATIENCE_MS = 60_000

export class Follower {
  readonly reader: Reader
  readonly #world: World
  readonly #servers: Server[]
  #connection: Connection | null = null

  constructor (name: string, sessionId: string, servers: Server[], world: World) {
    this.reader = new Reader(name, world.ledger.log(sessionId), world)
    this.#servers = servers
    this.#world = world
  }

  /** Connects so many times. */
  async act (connections: number): Promise<void> {
    const { loop, prng } = this.#world
    for (let left = connections; left > 0; left--) {
      await loop.sleep(prng.between(1, 600))
      if (prng.chance(0.1)) await this.#replay()
      if (prng.chance(0.15)) await this.#history()
      await this.#connect(this.#start(), prng.chance(0.15))
      // The last one stays.
      if (left === 1) return
      await loop.sleep(prng.between(1, prng.chance(0.3) ? 6_000 : 300))
      this.#connection?.cut()
    }
  }

  /** Whether it is not connected, or has everything. */
  get isTold (): boolean {
    return this.#connection?.over !== null || (!this.#world.ledger.deleted.has(this.reader.log.id) && this.reader.isAtEnd())
  }

  /** Goes on from where it is, on a connection that it has or a new one, until it has everything. */
  async catchUp (): Promise<void> {
    const { loop, ledger, journal } = this.#world
    const { log, name } = this.reader
    const deadline = loop.now + PATIENCE_MS
    const deleted = (): boolean => ledger.deleted.has(log.id)
    const knowsQueue = (): boolean => this.reader.waiting.every((runId) => ledger.queue(log.id).includes(runId))
    const there = (): boolean => deleted() ? this.#connection?.over === 'deleted' : this.#connection?.over === null && this.reader.isAtEnd() && knowsQueue()
    while (loop.now < deadline) {
      if (there()) return
      if (this.#connection === null || (this.#connection.over !== null && !deleted())) {
        if (await this.#connect({ after: this.reader.cursor }, false) === 'deleted') return
      } else if (deleted() && this.#connection.over !== null) {
        return
      }
      await loop.sleep(50)
    }
    journal.violation('C8', `${name} hangs at ${this.reader.cursor} of ${log.lastSeq}, with ${this.reader.waiting.length} that wait, in ${log.id}${deleted() ? ', which was deleted' : ''}`)
  }

  /** The connection is told that the server closes. */
  assertClosed (): void {
    const over = this.#connection?.over
    if (over === null) this.#world.journal.violation('C9', `${this.reader.name} was left open by a shutdown`)
  }

  #start (): Start {
    const { prng } = this.#world
    const { cursor, log } = this.reader
    return {
      after: prng.pick([cursor, cursor, cursor, cursor, cursor, 0, 'latest', null, log.lastSeq + prng.between(1, 3), prng.between(0, log.lastSeq)])
    }
  }

  async #history (): Promise<void> {
    const server = this.#world.prng.pick(this.#servers)
    const page = await this.#tried(() => server.ask((registry) => registry.readHistory(this.reader.log.id, { limit: 500 })))
    if (page !== null) this.reader.history(page)
  }

  async #replay (): Promise<void> {
    const { prng } = this.#world
    const { log } = this.reader
    const server = prng.pick(this.#servers)
    const after = prng.pick([0, 0, prng.between(0, log.lastSeq)])
    await this.#tried(() => server.ask((registry) => replay(registry, log, after, this.#world), { inTime: false }))
  }

  /** What a server answers; null if it cannot, or does not want to. */
  async #tried<T> (work: () => Promise<T>): Promise<T | null> {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof ConnectionLost) && !isRunsError(error)) throw error
      return null
    }
  }

  async #connect (start: Start, untilComplete: boolean): Promise<'open' | 'refused' | 'deleted'> {
    const { prng, journal, loop } = this.#world
    const server = prng.pick(this.#servers)
    const { life } = server
    if (life === null) return 'refused'
    const { name, log } = this.reader
    journal.note(`${name} asks ${server.name} for ${log.id} after ${start.after}${untilComplete ? ' until complete' : ''}`)
    try {
      const opening = await server.ask((registry) => registry.openSubscription({
        sessionId: log.id, owner: null, after: start.after, until: untilComplete ? 'complete' : null
      }))
      if (prng.chance(0.3)) await loop.sleep(prng.between(1, 20))
      if (life.process.dead) return 'refused'
      if (opening.done || prng.chance(0.05)) {
        opening.cancel()
        return 'refused'
      }
      const connection = this.#connection = new Connection(this.reader, untilComplete, this.#world)
      this.reader.connects(start)
      life.connections.add(connection)
      connection.belongsTo(opening.start(connection))
      return 'open'
    } catch (error) {
      if (hasCode(error, 'SESSION_DELETED')) return 'deleted'
      if (!(error instanceof ConnectionLost) && !isRunsError(error)) throw error
      return 'refused'
    }
  }
}
