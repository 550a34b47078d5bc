/* From a message to a run: what was asked for is checked, then the store decides whether it starts, waits or is refused. */
import { createHash, randomUUID } from 'node:crypto'
import { Value } from 'typebox/value'
import { atMost } from '../common/at-most.ts'
import type { Logger } from '../common/logger.ts'
import { isRunsError, runsError } from '../protocol/errors.ts'
import { pendingEvent } from '../protocol/event.ts'
import { MAX_DEPTH, toJson } from '../protocol/json.ts'
import type { Limits } from '../protocol/limits.ts'
import { contentProblem } from '../protocol/message-content-problem.ts'
import { messageProperties } from '../protocol/schemas/requests.ts'
import { ownerOf } from '../protocol/session-input.ts'
import type { Owner, SessionState } from '../protocol/session.ts'
import type { MessageContent, StartedRun } from '../protocol/words.ts'
import type { Provider } from '../provider/provider.ts'
import type { NewRun, OnBusy, RunStart, Store } from '../store/store.ts'
import { nameOfId, nameOfKey } from './message-names.ts'
import type { Recovery } from './recovery.ts'
import type { RunPool } from './run-pool.ts'

/** How long a message waits for an orphan to be ended that is in its way, in ms: it is to be answered within five seconds. */
const CLEARING_MS = 800

const BUSY_WAYS: ReadonlySet<unknown> = new Set(messageProperties.onBusy.enum)

export interface StartRunRequest {
  /** The session; created if it does not exist, unless `createOnMessage` is false. */
  sessionId: string
  content: MessageContent
  /** Default: the session's provider, else `defaultProvider`. */
  provider?: string | undefined
  /** What the client wants of the provider; checked against its `optionsSchema`. */
  options?: Record<string, unknown> | undefined
  /**
   * If another run is running or waits: 'reject' (default) refuses the message, 'queue' lets it wait its turn,
   * 'interrupt' aborts the running run and takes its place.
   */
  onBusy?: OnBusy | undefined
  /** The same key in the same session, with the same request, is the same run. 1 to 255 visible ASCII characters. */
  idempotencyKey?: string | undefined
  /** The client's own id of the message, under which the log has it: sent again under it, it is the same run. 1 to 256 characters. Default: a random one. */
  messageId?: string | undefined
  /** Anything that only code in this process can hand to the provider. A run that waits loses it when the process ends. */
  context?: unknown
  /** Whose session it is, or becomes. Default: not compared; a new session is anonymous. */
  owner?: Owner
}

export interface RunStarterOptions {
  store: Store
  providers: ReadonlyMap<string, Provider>
  defaultProvider: string | null
  createOnMessage: boolean
  limits: Limits
  pool: RunPool
  recovery: Recovery
  log: Logger
}

export class RunStarter {
  readonly #options: RunStarterOptions

  constructor (options: RunStarterOptions) {
    this.#options = options
  }

  /** See `RunRegistry.startRun`. */
  async start (request: StartRunRequest): Promise<StartedRun> {
    const { pool } = this.#options
    // Only a repeat can be answered now.
    if (pool.closing && request.idempotencyKey === undefined) throw runsError('SHUTTING_DOWN')
    const admit = pool.closing ? 'nothing' : pool.full ? 'queue' : 'run'
    const runId = randomUUID()
    return pool.reserve(runId, () => this.#start(request, runId, admit))
  }

  async #start (request: StartRunRequest, runId: string, admit: NewRun['admit']): Promise<StartedRun> {
    const { store, limits, pool, createOnMessage } = this.#options
    const { sessionId, content, provider: asked, options = {}, onBusy = 'reject', idempotencyKey, messageId = randomUUID(), context, ...rest } = request
    const owner = ownerOf(rest)
    if (!BUSY_WAYS.has(onBusy)) throw runsError('INVALID_REQUEST', ['"onBusy" must be "reject", "queue" or "interrupt".'])
    const session = await store.getSession(sessionId, owner)
    assertContent(content)
    if (session === null && !createOnMessage) throw runsError('SESSION_NOT_FOUND', [sessionId])
    const provider = this.#providerName(asked, session)
    const optionBytes = assertOptions(this.#options.providers.get(provider)!, options)
    const message = pendingEvent('text', { role: 'user', messageId, content })
    // It is stored, kept with whatever waits, and sent to every reader in one piece.
    if (Buffer.byteLength(message.fields) + optionBytes > limits.contentBytes) throw runsError('MESSAGE_TOO_LARGE')

    const newRun: NewRun = {
      runId,
      sessionId,
      owner,
      provider,
      message,
      options,
      createSession: createOnMessage,
      onBusy,
      admit,
      maxQueued: limits.queuedPerSession,
      names: [
        ...idempotencyKey === undefined ? [] : [{ name: nameOfKey(idempotencyKey), hash: hashOf({ provider: asked, content, options, onBusy }) }],
        { name: nameOfId(messageId), hash: hashOf(sameContent(content)) }
      ]
    }
    const isNamed = idempotencyKey !== undefined || request.messageId !== undefined
    const { run, cursor, promotion } = await this.#accept(newRun, context, isNamed)
    if (run.status === 'queued') pool.want(sessionId)
    if (run.runId === runId) pool.keepContext(runId, context)
    pool.applyPromotion(promotion)
    // A repeat of a message whose first answer was lost here; of every other it is a read.
    if (run.runId !== runId && run.status === 'running' && !pool.isDriven(run.runId)) void pool.adopt(run.runId).catch(() => {})
    return { sessionId, runId: run.runId, cursor, status: run.status }
  }

  async #accept (run: NewRun, context: unknown, isNamed: boolean): Promise<Extract<RunStart, { outcome: 'accepted' }>> {
    // Twice at most: the run in the way may turn out to be an orphan.
    for (let tries = 1, isCleared = false; ; tries++) {
      const start = await this.#ask(run, context, isNamed)
      if (start.outcome === 'accepted') return start
      if (start.outcome === 'refused') throw runsError(run.admit === 'nothing' ? 'SHUTTING_DOWN' : 'TOO_MANY_RUNS')
      if (tries === 1) await atMost(CLEARING_MS, this.#clear(start).then((cleared) => { isCleared = cleared }))
      if (tries > 1 || !isCleared) {
        throw runsError('RUN_IN_PROGRESS', [run.sessionId], { runId: start.runId, cursor: start.cursor })
      }
    }
  }

  async #ask (run: NewRun, context: unknown, isNamed: boolean): Promise<RunStart> {
    try {
      return await this.#options.store.startRun(run)
    } catch (error) {
      // Only the answer may have been lost. A client that has named its message asks again, and finds the run; others are told that there is none.
      const isUnknown = !isRunsError(error) || error.statusCode >= 500
      if (isUnknown && !isNamed) void this.#undo(run.runId)
      else if (isUnknown) this.#options.pool.keepContext(run.runId, context)
      throw error
    }
  }

  async #undo (runId: string): Promise<void> {
    const { pool, log } = this.#options
    try {
      await pool.undo(runId)
    } catch (error) {
      log.warn({ err: error, runId }, 'a run may have started whose message was refused; it will be ended')
    }
  }

  /** Ends a run that is in the way if nobody drives it: a session must never be busy for ever. */
  async #clear ({ runId, instanceId }: Extract<RunStart, { outcome: 'busy' }>): Promise<boolean> {
    const { store, pool, recovery } = this.#options
    if (instanceId !== store.instanceId) return instanceId !== null && recovery.closeOrphans()
    const ending = pool.lastResort.endingOf(runId)
    if (ending === undefined) return false
    await pool.close(runId, ending)
    return true
  }

  #providerName (asked: string | undefined, session: SessionState | null): string {
    const { providers, defaultProvider } = this.#options
    const name = asked ?? session?.provider ?? defaultProvider
    const known = [...providers.keys()].map((key) => `"${key}"`).join(', ')
    if (name === null) throw runsError('UNSUPPORTED_PROVIDER', [`The message must name a provider: ${known}.`])
    if (!providers.has(name)) throw runsError('UNSUPPORTED_PROVIDER', [`There is no provider "${name}", only ${known}.`])
    return name
  }
}

function assertContent (content: MessageContent): void {
  const problem = contentProblem(content)
  if (problem !== null) throw runsError('INVALID_REQUEST', [problem])
}

/** Throws INVALID_OPTIONS for what the provider does not take; answers how many bytes they are as JSON. */
function assertOptions (provider: Provider, options: Record<string, unknown>): number {
  let bytes: number
  try {
    bytes = Buffer.byteLength(toJson(options))
  } catch {
    throw runsError('INVALID_OPTIONS', [`they must be JSON, nested at most ${MAX_DEPTH} levels deep.`])
  }
  if (provider.optionsSchema === undefined && Object.keys(options).length > 0) throw runsError('INVALID_OPTIONS', ['this provider takes none.'])
  const [problem] = provider.optionsSchema === undefined ? [] : Value.Errors(provider.optionsSchema, options)
  if (problem !== undefined) throw runsError('INVALID_OPTIONS', [`options${problem.instancePath} ${problem.message}.`])
  return bytes
}

/** What makes two requests the same, whatever the order of keys in which they were written. */
function hashOf (asked: unknown): string {
  const text = JSON.stringify(asked, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1))
  })
  return createHash('sha256').update(text).digest('base64')
}

/** A content as all doors would write it: what is text alone is text, and names of files, which not all of them carry, do not count. */
function sameContent (content: MessageContent): unknown {
  if (typeof content === 'string') return content
  const [only] = content
  if (content.length === 1 && only?.type === 'text') return only.text
  return content.map((part) => part.type === 'text' ? part : { ...part, name: undefined })
}
