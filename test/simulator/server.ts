/* A server: starts, serves, is shut down or dies, and starts again on the same database. */
import { silentLogger } from '../../lib/common/logger.ts'
import { RunRegistry } from '../../lib/registry.ts'
import { agentIn } from './agent.ts'
import type { Connection } from './connection.ts'
import { FaultyStore } from './faulty-store.ts'
import type { World } from './world.ts'

/** How long a client may have to wait for an answer, whatever the database does, in ms. */
const PATIENCE_MS = 5_200

/** One life of a server. */
export interface Life {
  readonly process: FaultyStore
  readonly registry: RunRegistry
  readonly connections: Set<Connection>
  /** Rejects when the process dies. */
  readonly died: Promise<never>
  readonly die: () => void
}

/** What a client sees of a server that dies before it has answered. */
export class ConnectionLost extends Error {}

export class Server {
  readonly name: string
  readonly #world: World
  #lives = 0
  #starting = false
  /** Null while the server does not serve. */
  life: Life | null = null
  /** Of dead processes: only memory. */
  readonly corpses: RunRegistry[] = []

  constructor (name: string, world: World) {
    this.name = name
    this.#world = world
  }

  async start (): Promise<void> {
    if (this.life !== null || this.#starting) return
    this.#starting = true
    try {
      const life = this.#born()
      await life.process.open()
      try {
        await life.registry.open()
        this.#world.journal.note(`${life.process.name} serves`)
        this.life = life
      } catch (error) {
        // As the host does whose server cannot start.
        this.#world.journal.note(`${life.process.name} cannot start: ${String(error)}`)
        await this.#close(life)
      }
    } finally {
      this.#starting = false
    }
  }

  /** The process is killed. */
  crash (): void {
    const { life } = this
    if (life === null) return
    this.life = null
    this.#world.weather.stopped = true
    this.#world.journal.note(`${life.process.name} dies`)
    life.process.kill()
    for (const connection of life.connections) connection.lost()
    life.die()
    this.corpses.push(life.registry)
  }

  /** The process is asked to end; clients may go on asking it until it has. */
  async shutDown (): Promise<void> {
    const { life } = this
    if (life === null) return
    this.#world.weather.stopped = true
    this.#world.journal.note(`${life.process.name} shuts down`)
    await this.#close(life)
    this.#world.journal.note(`${life.process.name} is down`)
    this.life = null
    life.die()
  }

  /** What a client asks of the server; rejects with ConnectionLost if it dies on the way. `inTime`: whether it is one answer, and no reading of many pages. */
  async ask<T> (work: (registry: RunRegistry) => Promise<T>, { inTime = true } = {}): Promise<T> {
    if (this.life === null) throw new ConnectionLost()
    const { loop, journal } = this.#world
    const start = loop.now
    try {
      return await Promise.race([work(this.life.registry), this.life.died])
    } finally {
      const ms = loop.now - start
      if (inTime && ms > PATIENCE_MS) journal.violation('C10', `${this.name} has taken ${ms} ms to answer`)
    }
  }

  async #close (life: Life): Promise<void> {
    await life.registry.close()
    this.#judgeClosed(life.process.name)
    await life.process.close()
    // Sockets that are still open when the process ends.
    for (const connection of life.connections) if (connection.over === null) connection.lost()
  }

  /** A server that is alone with a database that works leaves nothing running behind it. */
  #judgeClosed (name: string): void {
    const { setting, weather, ledger, journal } = this.#world
    if (setting.servers > 1 || !weather.fair || this.corpses.length > 0) return
    for (const { running, id } of ledger.sessions.values()) {
      if (running !== null && !ledger.deleted.has(id)) journal.violation('C9', `${name} has left ${running} running in ${id}`)
    }
  }

  #born (): Life {
    const { setting } = this.#world
    const process = new FaultyStore(`${this.name}.${++this.#lives}`, this.#world)
    const registry = new RunRegistry({
      store: process.store,
      providers: { agent: agentIn(process, this.#world) },
      defaultProvider: 'agent',
      createOnMessage: true,
      runTimeoutMs: setting.runTimeoutMs,
      closeGraceMs: setting.closeGraceMs,
      retention: setting.retention,
      limits: setting.limits,
      log: silentLogger
    })
    let die!: () => void
    const died = new Promise<never>((_resolve, reject) => { die = () => reject(new ConnectionLost()) })
    died.catch(() => {})
    return { process, registry, connections: new Set(), died, die }
  }
}
