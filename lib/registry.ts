/* The registry, decorated as `fastify.agentRuns`: all that routes and apps do with sessions and runs. */
import { atMost } from './common/at-most.ts'
import { inTime } from './common/in-time.ts'
import { guardedLogger, type Logger } from './common/logger.ts'
import type { Cursor } from './protocol/cursor.ts'
import { runsError } from './protocol/errors.ts'
import { type CompleteEvent, type Event, type EventOf, parseEvent } from './protocol/event.ts'
import type { Frame } from './protocol/frames.ts'
import { MAX_PAGE_BYTES } from './protocol/limits.ts'
import { assertMetadata, assertSessionId, assertTitle, checkedId, checkedLimit, ownerOf } from './protocol/session-input.ts'
import type { Owner, SessionState } from './protocol/session.ts'
import type { KeptSession, PendingStop, ProviderView, RunMessage, RunningRun, RunState, StartedRun } from './protocol/words.ts'
import { keptSessions, providerViews } from './provider/provider-list.ts'
import type { Provider } from './provider/provider.ts'
import { found, type History, type OwnerOption, type RunsPage, runsPage } from './registry-answers.ts'
import type { RegistryOptions } from './registry-options.ts'
import { checkedSession, type SessionInput } from './registry-sessions.ts'
import { answerPermission, type PermissionAnswerRequest, type PermissionView, viewPermission } from './runs/permission-answers.ts'
import { Recovery } from './runs/recovery.ts'
import { Retention } from './runs/retention.ts'
import { RunPool } from './runs/run-pool.ts'
import { RunStarter, type StartRunRequest } from './runs/run-starter.ts'
import { abortRun, completeRun, stop, stopMessage } from './runs/stops.ts'
import { withDeadlines } from './store/deadlines.ts'
import type { EventsPage, HistoryPage, SessionPatch, SessionsPage, Store } from './store/store.ts'
import { IterableSink } from './streams/iterable-sink.ts'
import { retainedEvents } from './streams/log-reader.ts'
import { reconnectDelay } from './streams/reconnect-delay.ts'
import { type Opening, type SubscriptionRequest, Subscriptions } from './streams/subscriptions.ts'

/** How long a shutdown waits for providers to end what they still run. */
const PROVIDER_GRACE_MS = 750

// A store knows its instance, a registry the runs that it drives: two on one would take each other's for abandoned.
const storesInUse = new WeakSet<Store>()

/**
 * Sessions and their runs. Every method is asynchronous and rejects with a `RunsError`: INVALID_REQUEST for what it does not take, also
 * for options that it does not know; STORE_UNAVAILABLE may come from any of them. The `code` of the error has the prefix `AGENT_RUNS_`
 * (`AGENT_RUNS_SESSION_NOT_FOUND`); over HTTP and WebSocket it has none.
 */
export class RunRegistry {
  readonly #store: Store
  readonly #given: Store
  readonly #providerViews: () => ProviderView[]
  readonly #providers: ReadonlyMap<string, Provider>
  readonly #closeGraceMs: number
  readonly #subscriptions: Subscriptions
  readonly #retention: Retention
  readonly #pool: RunPool
  readonly #recovery: Recovery
  readonly #starter: RunStarter
  readonly #log: Logger
  #opened = false
  #stopWatching: () => void = () => {}

  constructor ({ store: given, providers: agents, closeGraceMs, log: hostLog, ...options }: RegistryOptions) {
    const log = guardedLogger(hostLog)
    const { limits, defaultProvider, createOnMessage, runTimeoutMs } = options
    const providers = new Map(Object.entries(agents))
    const store = withDeadlines(given)
    const subscriptions = new Subscriptions(store, limits, log)
    const expire = (sessionId: string, idleSince: number): Promise<boolean> => this.#delete(sessionId, null, { idleSince })
    const retention = new Retention({ store, ...options.retention, expire, log })
    const pool = new RunPool({ store, providers, runTimeoutMs, limits, subscriptions, retention, log })
    const recovery = new Recovery(store, pool, () => this.#refresh(), log)
    this.#store = store
    this.#given = given
    this.#providers = providers
    this.#providerViews = () => providerViews(providers, defaultProvider)
    this.#closeGraceMs = closeGraceMs
    this.#subscriptions = subscriptions
    this.#retention = retention
    this.#pool = pool
    this.#recovery = recovery
    this.#starter = new RunStarter({ store, providers, defaultProvider, createOnMessage, limits, pool, recovery, log })
    this.#log = log
  }

  /**
   * Ends the runs that dead processes left, starts those that wait, and begins to see what other instances do. The
   * store is open. Rejects with AGENT_RUNS_STORE_IN_USE.
   */
  async open (): Promise<void> {
    if (storesInUse.has(this.#given)) throw runsError('AGENT_RUNS_STORE_IN_USE')
    storesInUse.add(this.#given)
    this.#opened = true
    await this.#recovery.open()
    this.#stopWatching = this.#store.watch(() => this.#refresh())
    this.#retention.open()
  }

  /**
   * Refuses new runs, lets the running ones finish for `closeGraceMs`, interrupts the rest, then ends every subscription
   * behind the last event. What waits goes on waiting in the store. Closes the providers while `deliver` sends the last
   * frames; not the store. Takes `closeGraceMs` and 0.5 s at most, then 0.75 s or as long as `deliver`.
   */
  async close (deliver: () => Promise<unknown> = async () => {}): Promise<void> {
    await this.#pool.shutDown(this.#closeGraceMs)
    this.#recovery.close()
    this.#stopWatching()
    this.#retention.close()
    this.#subscriptions.finish(reconnectDelay)
    if (this.#opened) storesInUse.delete(this.#given)
    this.#opened = false
    const closed = Promise.allSettled([...this.#providers.values()].map(async (provider) => provider.close?.()))
    await Promise.all([atMost(PROVIDER_GRACE_MS, closed), deliver()])
  }

  /** Creates a session: a new one, or one that goes on with what an agent has kept. Rejects with SESSION_EXISTS, UNSUPPORTED_PROVIDER, PROVIDER_SESSION_TAKEN. */
  async createSession (session: SessionInput = {}): Promise<SessionState> {
    const checked = checkedSession(session, (provider) => this.#providers.has(provider))
    const created = await this.#store.createSession(checked)
    if (created === null) throw runsError('SESSION_EXISTS', [checked.id])
    return created
  }

  /** What there is to run, in the order of registration. */
  listProviders (): ProviderView[] {
    return this.#providerViews()
  }

  /** What an agent has kept and no session goes on with, newest first; `limit` is 1 to 500. Rejects with UNSUPPORTED_PROVIDER, PROVIDER_UNAVAILABLE. */
  async listKeptSessions (provider: string, { limit = 50 }: { limit?: number } = {}): Promise<KeptSession[]> {
    return keptSessions(this.#providers, (name, ids) => this.#store.knownProviderSessions(name, ids), checkedId('provider', provider), checkedLimit(limit))
  }

  /** The session, or null. */
  async getSession (sessionId: string, options: OwnerOption = {}): Promise<SessionState | null> {
    return this.#store.getSession(checkedId('sessionId', sessionId), ownerOf(options))
  }

  /** A page of sessions, newest first, after the session `before`. `limit` is 1 to 500; a page is cut at 4 MiB. Default: the 50 newest. */
  async listSessions ({ limit = 50, before = null, ...options }: OwnerOption & { limit?: number, before?: string | null } = {}): Promise<SessionsPage> {
    return this.#store.listSessions(ownerOf(options), { rows: checkedLimit(limit), bytes: MAX_PAGE_BYTES, before })
  }

  /** Changes the title or metadata; what is not given stays. Rejects with SESSION_NOT_FOUND. */
  async updateSession (sessionId: string, patch: SessionPatch, options: OwnerOption = {}): Promise<SessionState> {
    assertTitle(patch.title)
    assertMetadata(patch.metadata)
    return found(await this.#store.updateSession(checkedId('sessionId', sessionId), ownerOf(options), patch), sessionId)
  }

  /**
   * Deletes a session for good: its runs end, its streams too, its events are gone, its id is never used again. Rejects
   * with SESSION_NOT_FOUND, SESSION_DELETED.
   */
  async deleteSession (sessionId: string, options: OwnerOption = {}): Promise<void> {
    if (!await this.#delete(checkedId('sessionId', sessionId), ownerOf(options))) throw runsError('SESSION_NOT_FOUND', [sessionId])
  }

  /**
   * Takes a message in, and resolves once it and its run are durable; the provider runs detached. Rejects with
   * RUN_IN_PROGRESS (names the run), SESSION_NOT_FOUND, SESSION_DELETED, UNSUPPORTED_PROVIDER, INVALID_OPTIONS,
   * IDEMPOTENCY_KEY_REUSED, QUEUE_FULL, TOO_MANY_RUNS, SHUTTING_DOWN.
   */
  async startRun (request: StartRunRequest): Promise<StartedRun> {
    assertSessionId(request.sessionId)
    return this.#starter.start(request)
  }

  /** The run, or null. */
  async getRun (runId: string, options: OwnerOption = {}): Promise<RunState | null> {
    return this.#store.getRun(checkedId('runId', runId), ownerOf(options))
  }

  /** The message that a run answers, or is to answer once it has waited; null if there is no such run. */
  async getRunMessage (runId: string, options: OwnerOption = {}): Promise<RunMessage | null> {
    return this.#store.getMessage(checkedId('runId', runId), ownerOf(options))
  }

  /** A page of a session's runs, running and waiting ones too, newest first, after the run `before`. `limit` is 1 to 500. Default: the 50 newest. */
  async listRuns (sessionId: string, { limit = 50, before = null, ...options }: OwnerOption & { limit?: number, before?: string | null } = {}): Promise<RunsPage<RunState>> {
    const rows = checkedLimit(limit)
    return runsPage(await this.#store.listRuns(checkedId('sessionId', sessionId), ownerOf(options), { limit: rows + 1, before }), rows)
  }

  /** The session's running run, or null. */
  async getActiveRun (sessionId: string, options: OwnerOption = {}): Promise<RunState | null> {
    const owner = ownerOf(options)
    const session = await this.#store.getSession(checkedId('sessionId', sessionId), owner)
    return session?.runId ? this.#store.getRun(session.runId, owner) : null
  }

  /** Whether a run is running or waits in the session; false for a session that does not exist. */
  async isProcessing (sessionId: string, options: OwnerOption = {}): Promise<boolean> {
    return (await this.#store.getSession(checkedId('sessionId', sessionId), ownerOf(options)))?.isProcessing ?? false
  }

  /** A page of the running runs of every instance on the store, oldest first, after the run `after`. `limit` is 1 to 500, the default. */
  async listRunningRuns ({ limit = 500, after = null, ...options }: OwnerOption & { limit?: number, after?: string | null } = {}): Promise<RunsPage<RunningRun>> {
    const rows = checkedLimit(limit)
    return runsPage(await this.#store.listRunningRuns(ownerOf(options), { limit: rows + 1, after }), rows)
  }

  /** How many runs this process drives. */
  get drivenRuns (): number {
    return this.#pool.size
  }

  /**
   * Stops a run without waiting for its provider: `runId`, else the running one; the others keep their turn. Resolves
   * with the terminal event that holds (of a run that had ended, that one), or null for a run that waits: its terminal
   * comes in its turn. Rejects with SESSION_NOT_FOUND, RUN_NOT_FOUND, NO_ACTIVE_RUN.
   */
  async abortRun (request: OwnerOption & { sessionId: string, runId?: string | undefined }): Promise<CompleteEvent | null> {
    return inTime(abortRun(this.#store, this.#pool, request))
  }

  /**
   * Stops a message that may not have come yet, by the id that its client gave it, or by its idempotency key. Resolves with the terminal event of
   * its run; with the run if that waits; else with a stop that waits ten minutes for the message, which then starts no agent and interrupts
   * nothing. A session of others is like one that does not exist. Rejects with INVALID_REQUEST, SESSION_DELETED, TOO_MANY_STOPS.
   */
  async stopMessage (request: OwnerOption & { sessionId: string, messageId?: string | undefined, idempotencyKey?: string | undefined }): Promise<CompleteEvent | RunState | PendingStop> {
    return inTime(stopMessage(this.#store, this.#pool, request))
  }

  /** For transports: `abortRun` or `stopMessage`, by what is named; of a run that waits its state. */
  async stop (request: OwnerOption & { sessionId: string, runId?: string | undefined, messageId?: string | undefined, idempotencyKey?: string | undefined }): Promise<CompleteEvent | RunState | PendingStop> {
    return inTime(stop(this.#store, this.#pool, request))
  }

  /** Ends a run that the app knows to be over. Resolves with the terminal event that holds. Rejects with RUN_NOT_FOUND, NO_ACTIVE_RUN. */
  async completeRun (runId: string, { exitCode, aborted = false }: { exitCode: number, aborted?: boolean }): Promise<CompleteEvent> {
    return inTime(completeRun(this.#store, this.#pool, runId, { exitCode, aborted }))
  }

  /**
   * Answers an approval. Resolves with its `permission_resolved` once that is in the log. Rejects with SESSION_NOT_FOUND,
   * PERMISSION_NOT_FOUND, INVALID_REQUEST, and with PERMISSION_ALREADY_RESOLVED if another answer or the end of the run
   * came first.
   */
  async answerPermission (answer: PermissionAnswerRequest): Promise<EventOf<'permission_resolved'>> {
    return inTime(answerPermission(this.#store, this.#pool, answer))
  }

  /** How an approval of a session stands, or null. */
  async getPermission (sessionId: string, requestId: string, options: OwnerOption = {}): Promise<PermissionView | null> {
    return viewPermission(await this.#store.getPermission(checkedId('sessionId', sessionId), ownerOf(options), requestId))
  }

  /** What is retained after a seq, up to what is there when the reading begins. Rejects with SESSION_NOT_FOUND. */
  async * replayEvents (sessionId: string, after = 0, options: OwnerOption = {}): AsyncGenerator<Event> {
    yield * retainedEvents(this.#store, sessionId, ownerOf(options), after)
  }

  /** Follows a session like any client: `chat_subscribed`, what is retained after the cursor, then live until aborted. */
  async * subscribe (sessionId: string, { after = 0, signal, ...options }: OwnerOption & { after?: Cursor, signal?: AbortSignal } = {}): AsyncGenerator<Event | Frame> {
    const opening = await this.openSubscription({ sessionId, owner: ownerOf(options), after, until: null })
    const sink = new IterableSink()
    yield * sink.read(opening.start(sink), signal)
  }

  /** A page of the history; without `before` the latest. `limit` is 1 to 500. Rejects with SESSION_NOT_FOUND. */
  async history (sessionId: string, options: OwnerOption & { before?: number | null, limit?: number } = {}): Promise<History> {
    const { session, events, hasMore, cursor } = await this.readHistory(sessionId, options)
    return { events: events.map(parseEvent), hasMore, cursor, isProcessing: session.isProcessing }
  }

  /** For transports: `history` with its events as they are stored. */
  async readHistory (sessionId: string, { before = null, limit = 100, ...options }: OwnerOption & { before?: number | null, limit?: number } = {}): Promise<HistoryPage> {
    return found(await this.#store.readHistory(checkedId('sessionId', sessionId), ownerOf(options), { before, limit: checkedLimit(limit) }), sessionId)
  }

  /** For transports: a page of what is retained after a seq, as it is stored. Rejects with SESSION_NOT_FOUND. */
  async readEvents (sessionId: string, { after = 0, limit = 500, ...options }: OwnerOption & { after?: number, limit?: number } = {}): Promise<EventsPage> {
    return found(await this.#store.readEvents(checkedId('sessionId', sessionId), ownerOf(options), after, { rows: checkedLimit(limit), bytes: MAX_PAGE_BYTES }), sessionId)
  }

  /** For transports: a subscription to be started with a sink. A session that does not exist yet is waited for; another's is SESSION_NOT_FOUND. */
  async openSubscription (request: SubscriptionRequest): Promise<Opening> {
    assertSessionId(request.sessionId)
    const { sessionId, after, until, admit = null, ...options } = request
    return this.#subscriptions.open({ sessionId, after, until, admit, owner: ownerOf(options) })
  }

  async #delete (sessionId: string, owner: Owner, options: { idleSince?: number } = {}): Promise<boolean> {
    if (!await this.#store.deleteSession(sessionId, owner, options)) return false
    this.#subscriptions.deleted(sessionId)
    void this.#retention.purge()
    // It is deleted, whether or not its runs can be looked up now.
    await this.#pool.refresh().catch(() => {})
    void Promise.allSettled([...this.#providers.values()].map(async (provider) => provider.endSession?.(sessionId))).then((endings) => {
      for (const ending of endings) {
        if (ending.status === 'rejected') this.#log.warn({ err: ending.reason as unknown, sessionId }, 'a provider could not end a session')
      }
    })
    return true
  }

  async #refresh (): Promise<void> {
    // First the runs: an agent whose run was ended elsewhere stops at once, however many streams there are.
    await this.#pool.refresh()
    await this.#subscriptions.refresh()
  }
}
