/* A client that posts, repeats, answers approvals, aborts, completes and deletes, as chance has it. */
import { isRunsError, wireCode } from '../../lib/protocol/errors.ts'
import type { CompleteEvent } from '../../lib/protocol/event.ts'
import type { RunRegistry } from '../../lib/registry.ts'
import type { Answers } from './answers.ts'
import type { Message, Posts } from './posts.ts'
import { ConnectionLost, type Server } from './server.ts'
import type { World } from './world.ts'

/** A client that was not told what became of its message asks again so often. */
const REPEATS = 3

export class Poster {
  readonly #world: World
  readonly #servers: Server[]
  readonly #posts: Posts
  readonly #answers: Answers
  readonly #sessions: string[]

  constructor (sessions: string[], servers: Server[], posts: Posts, answers: Answers, world: World) {
    this.#sessions = sessions
    this.#servers = servers
    this.#posts = posts
    this.#answers = answers
    this.#world = world
  }

  async act (actions: number): Promise<void> {
    const { loop, prng } = this.#world
    for (let left = actions; left > 0; left--) {
      await loop.sleep(prng.between(1, prng.chance(0.3) ? 2_000 : 100))
      await this.#act()
    }
  }

  async #act (): Promise<unknown> {
    const { prng, setting } = this.#world
    const sessionId = this.#session()
    switch (prng.weighted({ post: 60, answer: 20, again: 8, abort: 12, abortRun: 12, complete: 4, create: 2, delete: 100 * setting.deleting })) {
      case 'post': return this.#post(this.#posts.message(sessionId, prng.pick(['reject', 'queue', 'queue', 'interrupt']), prng.chance(0.4)))
      case 'answer': return this.#answer()
      case 'again': return this.#again()
      case 'abort': return this.#end(sessionId, (registry) => registry.abortRun({ sessionId }))
      case 'abortRun': return this.#endKnown(prng.chance(0.1) ? sessionId : null)
      case 'complete': return this.#endKnown(null, prng.pick([0, 1]))
      case 'create': return this.#ask(`create ${sessionId}`, (registry) => registry.createSession({ id: sessionId }))
      case 'delete': return this.#ask(`delete ${sessionId}`, (registry) => registry.deleteSession(sessionId))
    }
  }

  /** Answers an approval, at times while somebody ends the run that waits for it. */
  async #answer (): Promise<void> {
    const approval = this.#answers.pick()
    if (approval === null) return
    const { sessionId, runId } = approval
    const ends = this.#world.prng.chance(0.4)
    await Promise.all([this.#answers.give(approval), ends ? this.#end(sessionId, (registry) => registry.abortRun({ sessionId, runId })) : null])
  }

  #session (): string {
    const { prng, ledger } = this.#world
    const index = prng.between(0, this.#sessions.length - 1)
    // Clients of a deleted session go on in another one, most of them.
    if (ledger.deleted.has(this.#sessions[index]!) && prng.chance(0.8)) this.#sessions[index] += 'x'
    return this.#sessions[index]!
  }

  async #post (message: Message): Promise<void> {
    const { loop, prng, ledger } = this.#world
    if (message.onBusy === 'interrupt') ledger.endings.add(message.sessionId)
    for (let tries = 0; tries <= REPEATS; tries++) {
      const refused = await this.#posts.send(message, prng.pick(this.#servers))
      if (message.key === null || !message.uncertain || refused === null) return
      await loop.sleep(prng.between(1, 1_000))
    }
  }

  /** A message that was posted already, by a client that does not know; or another one under its key. */
  async #again (): Promise<void> {
    const keyed = this.#posts.messages.filter(({ key }) => key !== null)
    if (keyed.length === 0) return
    const message = this.#world.prng.pick(keyed)
    const another = this.#world.prng.chance(0.2)
    await this.#post(another ? this.#posts.message(message.sessionId, message.onBusy, message.key!) : message)
  }

  async #endKnown (wrongSession: string | null, exitCode?: number): Promise<void> {
    const { prng, ledger } = this.#world
    const runs = [...ledger.runs.values()]
    if (runs.length === 0) return
    const run = prng.chance(0.5) ? runs.at(-1)! : prng.pick(runs)
    const sessionId = wrongSession ?? run.log.id
    await this.#end(sessionId, (registry) => exitCode === undefined ? registry.abortRun({ sessionId, runId: run.runId }) : registry.completeRun(run.runId, { exitCode }))
  }

  /** What a client is told of an end is what is in the log. */
  async #end (sessionId: string, work: (registry: RunRegistry) => Promise<CompleteEvent | null>): Promise<void> {
    const { ledger, journal } = this.#world
    ledger.endings.add(sessionId)
    const complete = await this.#ask(`end a run of ${sessionId}`, work)
    if (complete == null) return
    const logged = ledger.runs.get(complete.runId)?.complete
    if (JSON.stringify(logged) !== JSON.stringify(complete)) journal.violation('C3', `was told ${JSON.stringify(complete)}, the log says ${JSON.stringify(logged)}`)
  }

  async #ask<T> (what: string, work: (registry: RunRegistry) => Promise<T>): Promise<T | undefined> {
    const { prng, journal } = this.#world
    const server = prng.pick(this.#servers)
    journal.note(`${server.name} is asked to ${what}`)
    try {
      return await server.ask(work)
    } catch (error) {
      if (!(error instanceof ConnectionLost) && !isRunsError(error)) throw error
      journal.note(`${what} is refused: ${isRunsError(error) ? wireCode(error) : 'CONNECTION_LOST'}`)
      return undefined
    }
  }
}
