/*
 * A store as a server process meets it: far away, at times failing, silent once the process is dead. Each call is
 * executed as a task of its own, so that the ledger sees every commit by itself.
 */
import { isRunsError } from '../../lib/protocol/errors.ts'
import type { PageLimit, Store } from '../../lib/store/store.ts'
import type { World } from './world.ts'

const COMMITTING = new Set([
  'createSession', 'updateSession', 'deleteSession', 'startRun', 'claimQueuedRun', 'cancelQueuedRun', 'append', 'closeRun', 'answerPermission', 'compactRun', 'setProviderSessionId', 'renewLease'
])
/** What is nobody's request and ends nothing: not to be asked after a shutdown. */
const UNASKED = new Set(['claimQueuedRun', 'compactRun', 'renewLease'])
/** The pause before a watcher that has rejected is called again, in ms. */
const WATCH_RETRY_MS = 50

type Method = (...args: unknown[]) => Promise<unknown>

export class FaultyStore {
  readonly name: string
  /** What the registry gets. */
  readonly store: Store
  readonly #world: World
  readonly #inner: Store
  /** What is executed: the same, unless a test of the simulator has broken it. */
  readonly #executing: Store
  #dead = false
  #closed = false
  #stopWatching: () => void = () => {}

  constructor (name: string, world: World) {
    this.name = name
    this.#world = world
    const inner = this.#inner = world.database.instance()
    this.#executing = world.sabotage(inner)
    const calls = new Map<string, unknown>()
    this.store = new Proxy(inner, {
      get: (_target, method: string) => {
        const value = inner[method as keyof Store] as unknown
        if (typeof value !== 'function') return value
        if (method === 'watch') return (listener: () => Promise<void>) => this.#watch(listener)
        if (!calls.has(method)) calls.set(method, (...args: unknown[]) => this.#call(method, args))
        return calls.get(method)
      }
    })
  }

  get dead (): boolean {
    return this.#dead
  }

  async open (): Promise<void> {
    await this.#inner.open()
  }

  /** The process dies: nothing that it still asks is executed or answered. */
  kill (): void {
    this.#dead = true
    this.#stopWatching()
  }

  /** The registry has closed, and says that it drives nothing any more. */
  async close (): Promise<void> {
    this.#closed = true
    await this.#inner.close()
  }

  async #call (method: string, args: unknown[]): Promise<unknown> {
    const { journal, ledger, weather, database, prng } = this.#world
    const name = `${this.name} ${method}`
    if (this.#closed && UNASKED.has(method)) journal.violation('C9', `${name}(${String(args[0])}) was asked after the shutdown`)
    await weather.travel()
    if (this.#dead) return silence()
    const fault = this.#closed ? null : weather.strikes()
    if (fault?.executed === false) {
      journal.note(`${name} ${fault.hangs ? 'hangs' : 'fails'}`)
      if (fault.hangs) return silence()
      throw weather.error()
    }
    const compacted = method === 'compactRun' ? ledger.runs.get(args[0] as string)?.log : undefined
    if (compacted !== undefined) compacted.compacting++
    const answer = await this.#execute(method, args).finally(() => { if (compacted !== undefined) compacted.compacting-- })
    if (!this.#closed && COMMITTING.has(method)) {
      await ledger.executed(this.#inner, method, args, answer)
      database.committed(this.#inner.instanceId)
    }
    journal.note(`${name} ${fault === null ? 'is done' : 'is done, its answer lost'}`)
    if (fault !== null || prng.chance(0.5)) await weather.travel()
    if (this.#dead || fault?.hangs === true) return silence()
    if (fault !== null) throw weather.error()
    return answer
  }

  async #execute (method: string, args: unknown[]): Promise<unknown> {
    try {
      return await Reflect.apply(this.#executing[method as keyof Store] as Method, this.#executing, this.#shortened(method, args))
    } catch (error) {
      const expected = isRunsError(error) && (error.statusCode < 500 || this.#closed)
      if (!expected) this.#world.journal.violation('store', `${this.name} ${method} fails by itself: ${String(error)} ${String((error as Error).cause)}`)
      throw error
    }
  }

  /** Pages are small, so that much happens between two of them. */
  #shortened (method: string, args: unknown[]): unknown[] {
    if (method !== 'read' && method !== 'readEvents') return args
    const [sessionId, owner, after, limit] = args
    const { rows, bytes } = limit as PageLimit
    return [sessionId, owner, after, { rows: Math.min(rows, this.#world.setting.pageRows), bytes }]
  }

  #watch (listener: () => Promise<void>): () => void {
    const { loop, prng, database } = this.#world
    let wanted = false
    let calling = false
    let stopped = false
    const call = async (): Promise<void> => {
      if (calling) return
      calling = true
      while (wanted) {
        await loop.sleep(prng.between(1, 200))
        if (stopped) return
        wanted = false
        try {
          await listener()
        } catch {
          wanted = true
          await loop.sleep(WATCH_RETRY_MS)
        }
      }
      calling = false
    }
    const unwatch = database.watch(this.#inner.instanceId, () => {
      wanted = true
      void call()
    })
    this.#stopWatching = () => {
      stopped = true
      unwatch()
    }
    return this.#stopWatching
  }
}

/** What a dead process is told, and one whose call hangs. */
function silence (): Promise<never> {
  return new Promise(() => {})
}
