/* The runs that this process drives: starts them, ends them, and ends them all at shutdown. */
import { randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { Value } from 'typebox/value'
import { atMost } from './at-most.ts'
import { Committer } from './committer.ts'
import { runsError } from './errors.ts'
import { type CompleteEvent, type Event, parseEvent, pendingEvent } from './event.ts'
import type { Logger } from './logger.ts'
import { type MessageContent, messageContentSchema } from './message-content.ts'
import type { Provider } from './provider.ts'
import type { Recovery } from './recovery.ts'
import type { Retention } from './retention.ts'
import { Run } from './run.ts'
import { INTERRUPTED } from './run-ending.ts'
import { Scrubber } from './scrub.ts'
import type { RunStart, Store } from './store.ts'
import { PAGE } from './subscriber.ts'
import type { Subscriptions } from './subscriptions.ts'
import type { Owner, RunEnding, SessionState } from './types.ts'

/** How long a shutdown waits for the terminals of runs that it ended itself. */
const TERMINAL_GRACE_MS = 500
/** How long whoever ends a run waits for its terminal. */
const END_PATIENCE_MS = 5_000
/** Pauses between tries to end a run that the store does not let end, in ms. */
const CLOSE_RETRY_DELAYS = [250, 1_000, 2_000]

export interface StartRunRequest {
  /** The session; created if it does not exist, unless `createOnMessage` is false. */
  sessionId: string
  content: MessageContent
  /** Default: the session's provider, else `defaultProvider`. */
  provider?: string | undefined
  /** What the client wants of the provider; checked against its `optionsSchema`. */
  options?: Record<string, unknown> | undefined
  /** Anything that only code in this process can hand to the provider. */
  context?: unknown
  /** Whose session it is, or becomes. Default: not compared; a new session is anonymous. */
  owner?: Owner
}

/** A message that was accepted. */
export interface StartedRun {
  sessionId: string
  runId: string
  /** The seq before the run's first event: follow from here. */
  cursor: number
  status: 'running'
}

export interface LiveRunsOptions {
  store: Store
  providers: ReadonlyMap<string, Provider>
  defaultProvider: string | null
  createOnMessage: boolean
  runTimeoutMs: number
  subscriptions: Subscriptions
  retention: Retention
  recovery: Recovery
  log: Logger
}

type Started = Extract<RunStart, { outcome: 'started' }>

export class LiveRuns {
  readonly #options: LiveRunsOptions
  readonly #committer: Committer
  readonly #runs = new Map<string, Run>()
  /** Ids of `#runs`, and of runs that are being claimed. A run of ours that is not here has been given up. */
  readonly #driven = new Set<string>()
  readonly #starting = new Set<Promise<unknown>>()
  /** Aborted at the end of a shutdown: nothing is tried again. */
  readonly #stopped = new AbortController()
  #closing = false
  /** What is claimed from now on is ended at once. */
  #interrupting = false

  constructor (options: LiveRunsOptions) {
    this.#options = options
    // Each run that waits for a failing store listens.
    setMaxListeners(0, this.#stopped.signal)
    const { store, subscriptions, retention, log } = options
    this.#committer = new Committer(store, (sessionId, events) => {
      subscriptions.publish(sessionId, events)
      retention.committed(events)
    }, log, this.#stopped.signal)
  }

  async start (request: StartRunRequest): Promise<StartedRun> {
    if (this.#closing) throw runsError('SHUTTING_DOWN')
    const starting = this.#start(request)
    this.#starting.add(starting)
    return starting.finally(() => this.#starting.delete(starting))
  }

  async #start (request: StartRunRequest): Promise<StartedRun> {
    const { sessionId, owner = null, content, options = {} } = request
    const session = await this.#options.store.getSession(sessionId, owner)
    assertContent(content)
    if (session === null && !this.#options.createOnMessage) throw runsError('SESSION_NOT_FOUND', [sessionId])
    const name = this.#providerName(request.provider, session)
    const provider = this.#options.providers.get(name)!
    assertOptions(provider, options)

    const runId = randomUUID()
    this.#driven.add(runId)
    try {
      const started = await this.#claim(request, runId, name)
      this.#options.subscriptions.publish(sessionId, [started.message])
      this.#drive({ ...request, options, content }, runId, name, provider, started)
      return { sessionId, runId, cursor: started.message.seq - 1, status: 'running' }
    } catch (error) {
      this.#driven.delete(runId)
      throw error
    }
  }

  /** Ends a run, wherever it is driven; resolves with the terminal that holds. */
  async end (sessionId: string, runId: string, ending: RunEnding): Promise<CompleteEvent> {
    const run = this.#runs.get(runId)
    const ended = run === undefined ? this.#options.recovery.close(sessionId, runId, ending) : run.end(ending)
    let complete: CompleteEvent | null = null
    await atMost(END_PATIENCE_MS, ended.then((terminal) => { complete = terminal }))
    if (complete === null) throw runsError('STORE_UNAVAILABLE')
    return complete
  }

  /** Stops the providers of runs that another instance has ended. */
  async refresh (): Promise<void> {
    const mine = [...this.#runs.values()]
    if (mine.length === 0) return
    const running = new Set((await this.#options.store.listRunningRuns(null)).map(({ runId }) => runId))
    for (const run of mine) if (!running.has(run.runId)) run.lost()
  }

  /** Refuses new runs, lets the others finish for `graceMs`, then interrupts them. */
  async close (graceMs: number): Promise<void> {
    this.#closing = true
    const all = (): Promise<unknown> => Promise.all([...this.#runs.values()].map((run) => run.completed))
    await atMost(graceMs, Promise.allSettled(this.#starting).then(all))
    this.#interrupting = true
    for (const run of this.#runs.values()) void run.end(INTERRUPTED)
    await atMost(TERMINAL_GRACE_MS, Promise.allSettled(this.#starting).then(all))
    this.#stopped.abort()
  }

  #providerName (asked: string | undefined, session: SessionState | null): string {
    const { providers, defaultProvider } = this.#options
    const name = asked ?? session?.provider ?? defaultProvider
    const known = [...providers.keys()].map((key) => `"${key}"`).join(', ')
    if (name === null) throw runsError('UNSUPPORTED_PROVIDER', [`The message must name a provider: ${known}.`])
    if (!providers.has(name)) throw runsError('UNSUPPORTED_PROVIDER', [`There is no provider "${name}", only ${known}.`])
    return name
  }

  async #claim ({ sessionId, owner = null, content }: StartRunRequest, runId: string, provider: string): Promise<Started> {
    const message = pendingEvent('text', { role: 'user', messageId: randomUUID(), content })
    const createSession = this.#options.createOnMessage
    // Twice at most: the run in the way may turn out to be nobody's.
    for (let tries = 1; ; tries++) {
      const start = await this.#options.store.startRun({ runId, sessionId, owner, provider, message, createSession })
      if (start.outcome === 'started') return start
      if (start.outcome === 'not-found') throw runsError('SESSION_NOT_FOUND', [sessionId])
      if (tries > 1 || !await this.#clear(sessionId, start)) {
        throw runsError('RUN_IN_PROGRESS', [sessionId], { runId: start.runId, cursor: start.cursor })
      }
    }
  }

  /** Ends a run that is in the way if nobody drives it: a session must never be busy for ever. */
  async #clear (sessionId: string, { runId, instanceId }: Extract<RunStart, { outcome: 'busy' }>): Promise<boolean> {
    if (instanceId !== this.#options.store.instanceId) return this.#options.recovery.closeOrphans()
    if (this.#driven.has(runId)) return false
    await this.#options.recovery.close(sessionId, runId, INTERRUPTED)
    return true
  }

  #drive (request: StartRunRequest, runId: string, name: string, provider: Provider, started: Started): void {
    const { store, runTimeoutMs, log } = this.#options
    const { session, message, providerSessionId, providerSessionIds } = started
    const identity = { sessionId: session.id, runId, provider: name }
    const run: Run = new Run({
      provider,
      context: {
        session: { id: session.id, owner: session.owner, metadata: session.metadata },
        runId,
        content: request.content,
        options: request.options ?? {},
        context: request.context,
        providerSessionId,
        history: () => durableEvents(store, session.id, message.seq),
        log
      },
      log: this.#committer.open(identity, message.seq, () => run.lost()),
      scrubber: new Scrubber(session.id, providerSessionIds),
      timeoutMs: runTimeoutMs,
      keepProviderSessionId: (id) => store.setProviderSessionId(session.id, name, id),
      close: (ending) => this.#closeInStore(session.id, runId, ending)
    })
    this.#runs.set(runId, run)
    void run.completed.then(() => {
      this.#runs.delete(runId)
      this.#driven.delete(runId)
      this.#options.retention.forget(runId)
    })
    if (this.#interrupting) void run.end(INTERRUPTED)
    else run.start()
  }

  /** Ends a run whose log is lost; null if the store refuses that too, and the session's next message has to do it. */
  async #closeInStore (sessionId: string, runId: string, ending: RunEnding): Promise<CompleteEvent | null> {
    // What the provider had to say of its end may be what the store cannot take.
    const { exitCode, aborted, reason } = ending
    const bare = { exitCode, aborted, reason }
    for (const [tries, pause] of [0, ...CLOSE_RETRY_DELAYS].entries()) {
      try {
        await delay(pause, undefined, { signal: this.#stopped.signal })
        return await this.#options.recovery.close(sessionId, runId, tries < 2 ? ending : bare)
      } catch (error) {
        if (this.#stopped.signal.aborted) break
        this.#options.log.error({ err: error, sessionId, runId }, 'the store refused the end of a run')
      }
    }
    return null
  }
}

function assertContent (content: MessageContent): void {
  if (!Value.Check(messageContentSchema, content)) throw runsError('INVALID_REQUEST', ['A message\'s content must be text or parts, and not empty.'])
}

function assertOptions (provider: Provider, options: Record<string, unknown>): void {
  if (provider.optionsSchema === undefined) {
    if (Object.keys(options).length > 0) throw runsError('INVALID_OPTIONS', ['this provider takes none.'])
    return
  }
  const [problem] = Value.Errors(provider.optionsSchema, options)
  if (problem !== undefined) throw runsError('INVALID_OPTIONS', [`options${problem.instancePath} ${problem.message}.`])
}

async function * durableEvents (store: Store, sessionId: string, before: number): AsyncGenerator<Event> {
  let after = 0
  while (after < before - 1) {
    const page = await store.read(sessionId, null, after, PAGE)
    if (page === null) return
    for (const event of page.events) {
      if (event.seq < before && !event.transient) yield parseEvent(event)
    }
    after = page.through
    await nextTurn()
  }
}
