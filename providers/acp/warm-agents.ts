/* Agents that are kept for their session's next message: for a while, and not too many. */
import { ProviderError } from '../../lib/provider/provider.ts'
import type { Agent } from './agent.ts'

interface Entry {
  agent: Agent
  /** At work; given back, but still to hear of a cancel; free. */
  state: 'working' | 'settling' | 'idle'
  /** Resolves when it is idle again. */
  idle: Promise<void>
  rest: () => void
  idleTimer: NodeJS.Timeout | undefined
}

export class WarmAgents {
  readonly #idleMs: number
  readonly #maxAgents: number
  /** By session, those that were used last last. */
  readonly #entries = new Map<string, Entry>()
  /** Agents that are being ended. */
  readonly #ending = new Set<Promise<void>>()

  constructor ({ idleMs, maxAgents }: { idleMs: number, maxAgents: number }) {
    this.#idleMs = idleMs
    this.#maxAgents = maxAgents
  }

  /**
   * The session's agent, once it has heard that its last turn is over; a new one if there is none, or not of the native
   * session that is meant. Must be given back. Rejects with a ProviderError TOO_MANY_AGENTS.
   */
  async take (sessionId: string, nativeId: string | null, create: () => Agent): Promise<{ agent: Agent, isNew: boolean }> {
    const kept = this.#entries.get(sessionId)
    await kept?.idle
    if (kept?.agent.usable && kept.agent.nativeId === nativeId && this.#entries.get(sessionId) === kept) {
      this.#use(sessionId, kept.agent)
      return { agent: kept.agent, isNew: false }
    }
    await this.end(sessionId)
    while (this.#entries.size >= this.#maxAgents) await this.#makeRoom()
    const agent = create()
    this.#use(sessionId, agent)
    void agent.exited.then(() => this.#forget(sessionId, agent))
    return { agent, isNew: true }
  }

  /** Gives an agent back; it is idle once `settled` is. */
  give (sessionId: string, agent: Agent, settled: Promise<void>): void {
    const entry = this.#entries.get(sessionId)
    if (entry?.agent !== agent) {
      void settled.then(() => this.#end(agent))
      return
    }
    entry.state = 'settling'
    void settled.then(() => {
      entry.state = 'idle'
      entry.rest()
      if (!agent.usable || this.#idleMs === 0) return this.#end(agent)
      entry.idleTimer = setTimeout(() => this.#end(agent), this.#idleMs).unref()
    })
  }

  /** Ends a session's agent. */
  async end (sessionId: string): Promise<void> {
    const agent = this.#entries.get(sessionId)?.agent
    if (agent === undefined) return
    this.#forget(sessionId, agent)
    await agent.end()
  }

  /** Ends all, those that are at work too. */
  async close (killGraceMs: number): Promise<void> {
    const agents = [...this.#entries.values()].map(({ agent }) => agent)
    await Promise.allSettled([...agents.map((agent) => agent.end(killGraceMs)), ...this.#ending])
  }

  #use (sessionId: string, agent: Agent): void {
    clearTimeout(this.#entries.get(sessionId)?.idleTimer)
    this.#entries.delete(sessionId)
    let rest!: () => void
    const idle = new Promise<void>((resolve) => { rest = resolve })
    this.#entries.set(sessionId, { agent, state: 'working', idle, rest, idleTimer: undefined })
  }

  /** Ends an agent that is idle, or will be at once. */
  async #makeRoom (): Promise<void> {
    const entries = [...this.#entries]
    const free = entries.find(([, { state }]) => state === 'idle') ?? entries.find(([, { state }]) => state === 'settling')
    if (free === undefined) throw new ProviderError('As many agents are at work as may.', { code: 'TOO_MANY_AGENTS' })
    const [sessionId, entry] = free
    await entry.idle
    if (entry.state === 'idle' && this.#entries.get(sessionId) === entry) await this.end(sessionId)
  }

  #forget (sessionId: string, agent: Agent): void {
    const entry = this.#entries.get(sessionId)
    if (entry?.agent !== agent) return
    clearTimeout(entry.idleTimer)
    this.#entries.delete(sessionId)
  }

  #end (agent: Agent): void {
    const ended = agent.end().finally(() => this.#ending.delete(ended))
    this.#ending.add(ended)
  }
}
