/* Drives one provider to its one terminal event, whatever it does. */
import type { Logger } from '../common/logger.ts'
import { endTurn, isTurnLong } from '../common/turn.ts'
import { runError } from '../protocol/errors.ts'
import { type CompleteEvent, parseEvent } from '../protocol/event.ts'
import { toJson } from '../protocol/json.ts'
import { type Limits, MAX_ERROR_CODE_LENGTH, MAX_ERROR_MESSAGE_LENGTH, MAX_NATIVE_ID_LENGTH, MAX_USAGE_BYTES, NATIVE_IDS_KEPT } from '../protocol/limits.ts'
import { failed, FINISHED, TIMED_OUT } from '../protocol/run-ending.ts'
import type { RunEnding } from '../protocol/run-state.ts'
import type { PermissionDecision } from '../protocol/words.ts'
import { type CheckedEvent, checkProviderEvent } from '../provider/provider-event.ts'
import { type Provider, providerFailure, type RunContext } from '../provider/provider.ts'
import type { RunLog } from './committer.ts'
import { guardListeners } from './guarded-signal.ts'
import { Permissions } from './permissions.ts'
import { RunWriter } from './run-writer.ts'
import type { Scrubber } from './scrubber.ts'

/** A provider that yields without ever waiting gives way to the rest of the process after so many events. */
const EVENTS_PER_TURN = 512

export interface RunOptions {
  provider: Provider
  /** What the provider gets; the run adds the signal, and the way to ask. */
  context: Omit<RunContext, 'signal' | 'requestPermission'>
  log: RunLog
  scrubber: Scrubber
  limits: Limits
  /** Ends the run with `timeout`; 0 = never. */
  timeoutMs: number
  /** Keeps a native id that the provider announced. */
  keepProviderSessionId: (providerSessionId: string) => Promise<void>
  /**
   * Ends the run in the store when its own log does not take the terminal; `isFenced` if another has ended it, as far as is
   * known. Resolves with the terminal that holds, or null if there is none.
   */
  close: (ending: RunEnding, isFenced: boolean) => Promise<CompleteEvent | null>
}

export class Run {
  readonly runId: string
  readonly sessionId: string
  /** Resolves when the run has ended: with the terminal event that holds, or null if the store refused every one. */
  readonly completed: Promise<CompleteEvent | null>
  readonly #options: RunOptions
  readonly #logger: Logger
  readonly #writer: RunWriter
  readonly #permissions: Permissions
  readonly #abort = new AbortController()
  readonly #signal: AbortSignal
  readonly #resolveCompleted: (complete: CompleteEvent | null) => void
  #iterator: AsyncIterator<unknown> | null = null
  #providerEnded = false
  /** Whether the provider was asked for its next event and has not answered yet. */
  #isAsked = false
  #timer: NodeJS.Timeout | undefined
  #ended = false
  #dropped = 0
  /** Those that the provider has announced. */
  readonly #nativeIds = new Set<string>()

  constructor (options: RunOptions) {
    this.runId = options.context.runId
    this.sessionId = options.context.session.id
    this.#options = options
    this.#logger = options.context.log
    this.#writer = new RunWriter(options.log, options.scrubber, options.limits)
    this.#permissions = new Permissions(options.log, this.#writer, options.limits)
    this.#signal = guardListeners(this.#abort.signal, (error) => this.#logger.warn({ err: error, runId: this.runId }, 'a listener of the provider threw when its run ended'))
    let resolveCompleted: (complete: CompleteEvent | null) => void
    this.completed = new Promise((resolve) => { resolveCompleted = resolve })
    this.#resolveCompleted = resolveCompleted!
  }

  /** Starts the provider. Returns at once and never throws: whatever goes wrong ends the run. */
  start (): void {
    const { timeoutMs } = this.#options
    if (timeoutMs > 0) this.#timer = setTimeout(() => { void this.end(TIMED_OUT) }, timeoutMs)
    void this.#drive()
  }

  /**
   * Ends the run, unless it has ended, without waiting for the provider. Resolves with the terminal event that holds.
   */
  end (ending: RunEnding): Promise<CompleteEvent | null> {
    if (!this.#ended) {
      this.#ended = true
      void this.#finish(ending).catch((error: unknown) => {
        this.#logger.error({ err: error, runId: this.runId }, 'a run could not be ended by its own log')
        return this.#options.close(failed(runError('STORE_REFUSED')), false)
      }).then(this.#resolveCompleted)
    }
    return this.completed
  }

  /** The run is not ours any more, as another instance has ended it, or its log takes no more events: the provider is stopped at once. */
  fenced (): void {
    this.#options.log.fence()
    void this.end(failed(runError('STORE_REFUSED')))
  }

  /** Whether the provider waits for an approval. */
  get hasPendingApprovals (): boolean {
    return this.#permissions.waiting
  }

  /** Takes the answer that holds; resolves once the log has it, or never will. */
  answer (requestId: string, decision: PermissionDecision): Promise<void> {
    return this.#permissions.answer(requestId, decision)
  }

  async #drive (): Promise<void> {
    const { provider, context, limits } = this.#options
    // Also of what is no event, or says nothing: who yields that for ever would keep the processor.
    const mostYields = 2 * limits.maxEventsPerRun
    const requestPermission: RunContext['requestPermission'] = (request, options) => this.#permissions.ask(request, options)
    try {
      // A provider in plain JavaScript may need to wait for its iterable; then it rejects as others throw.
      const iterator = iterate(await (provider.run({ ...context, signal: this.#signal, requestPermission }) as unknown))
      this.#iterator = iterator
      for (let taken = 1; !this.#ended; taken++) {
        this.#isAsked = true
        const step = await iterator.next()
        this.#isAsked = false
        if (Object(step) !== step) throw new TypeError('The provider\'s iterator answered with what is no object.')
        this.#providerEnded = step.done === true
        if (this.#ended) return
        if (this.#providerEnded) {
          void this.end(FINISHED)
        } else if (taken > mostYields) {
          void this.end(failed(runError('TOO_MANY_EVENTS')))
        } else {
          // A promise for each event would take longer than all else that is done for it.
          const taking = this.#take(step.value)
          if (taking !== null) await taking
        }
        if (taken % EVENTS_PER_TURN === 0 || isTurnLong()) await endTurn()
      }
      // The run ended while the provider was still making its iterable.
      this.#return(iterator)
    } catch (error) {
      if (this.#isAsked) this.#providerEnded = true
      if (this.#ended) this.#logger.debug({ err: error, runId: this.runId }, 'the provider threw after the end of its run')
      else void this.end(this.#failure(error))
    }
  }

  /** Takes what the provider yielded; answers what it has to wait for, null if nothing. */
  #take (value: unknown): Promise<void> | null {
    const event = checkProviderEvent(value)
    if (typeof event === 'string') this.#drop(event)
    else if (event.kind === 'complete') void this.end(endingOf(event))
    else if (event.kind === 'session_created') return this.#bind(event.fields['newSessionId'] as string)
    else this.#write(event)
    return this.#options.log.full ? this.#options.log.settled() : null
  }

  #write (event: CheckedEvent): void {
    try {
      this.#writer.write(event)
    } catch (error) {
      this.#logger.error({ err: error, runId: this.runId, kind: event.kind }, 'an event cannot be written')
      void this.end(shown(error) ?? failed(runError('EVENT_NOT_SERIALISABLE')))
    }
  }

  async #bind (providerSessionId: string): Promise<void> {
    if (providerSessionId === '') return this.#drop('an empty newSessionId')
    const isTooLong = providerSessionId.length > MAX_NATIVE_ID_LENGTH
    if (isTooLong || this.#nativeIds.add(providerSessionId).size > NATIVE_IDS_KEPT) {
      void this.end(failed(runError(isTooLong ? 'NATIVE_ID_TOO_LONG' : 'TOO_MANY_NATIVE_IDS')))
      return
    }
    // Known to the scrubber before anything else can be written.
    this.#options.scrubber.add(providerSessionId)
    try {
      await this.#options.keepProviderSessionId(providerSessionId)
    } catch (error) {
      this.#logger.error({ err: error, runId: this.runId }, 'the provider\'s session id could not be kept; the agent will not resume')
    }
  }

  // A provider that yields garbage may yield a lot of it: one line tells of the first, one of the sum.
  #drop (why: string): void {
    if (this.#dropped++ === 0) this.#logger.warn({ runId: this.runId, why }, 'dropped what the provider yielded: it is no event')
  }

  #failure (error: unknown): RunEnding {
    const ending = shown(error)
    if (ending !== null) return ending
    this.#logger.error({ err: error, runId: this.runId }, 'the provider failed')
    return failed(runError('PROVIDER_FAILED'))
  }

  async #finish (asked: RunEnding): Promise<CompleteEvent | null> {
    clearTimeout(this.#timer)
    // Before the provider is aborted: requests that it withdraws because of that end with the run's reason.
    const waiting = this.#permissions.end()
    this.#stopProvider()
    if (this.#dropped > 1) this.#logger.warn({ runId: this.runId, dropped: this.#dropped }, 'dropped what the provider yielded')
    const ending = this.#clean(asked)
    this.#writer.end(ending, waiting)
    const { log } = this.#options
    await log.settled()
    if (log.rejection === null) return parseEvent(log.newest!) as CompleteEvent
    // What is not all there has not succeeded.
    return this.#options.close(ending.reason === 'finished' && log.lossy ? failed(runError('STORE_REFUSED')) : ending, log.rejection === 'stale')
  }

  /** The ending as it may be shown and written: plain JSON without native ids. */
  #clean (ending: RunEnding): RunEnding {
    try {
      // Before it is read again, clean and whole: it may be a hundred megabytes.
      if (hasTooMuchUsage(ending)) return failed(runError('EVENT_TOO_LARGE'))
      return bounded(JSON.parse(this.#options.scrubber.fields({ ...ending }).json) as RunEnding)
    } catch (error) {
      this.#logger.error({ err: error, runId: this.runId }, 'the provider\'s complete cannot be written as JSON')
      return failed(runError('EVENT_NOT_SERIALISABLE'))
    }
  }

  /** Nobody waits for the provider: whatever it still yields is not taken. */
  #stopProvider (): void {
    if (this.#providerEnded) return
    this.#abort.abort()
    if (this.#iterator !== null) this.#return(this.#iterator)
  }

  #return (iterator: AsyncIterator<unknown>): void {
    const note = (error: unknown): void => this.#logger.debug({ err: error, runId: this.runId }, 'the provider threw when it was stopped')
    try {
      // What it answers may be any thenable, and so may what that answers.
      Promise.resolve(iterator.return?.()).catch(note)
    } catch (error) {
      note(error)
    }
  }
}

/** The ending that a provider meant by what it threw; null if that is not for clients. */
function shown (thrown: unknown): RunEnding | null {
  const failure = providerFailure(thrown)
  return failure && failed({ code: failure.code, message: failure.message }, failure.exitCode)
}

/** An ending within its limits: a long error is cut, too much usage costs the run its success. */
function bounded (ending: RunEnding): RunEnding {
  if (hasTooMuchUsage(ending)) return failed(runError('EVENT_TOO_LARGE'))
  const { error, ...rest } = ending
  const cut = error && { code: cutTo(error.code, MAX_ERROR_CODE_LENGTH), message: cutTo(error.message, MAX_ERROR_MESSAGE_LENGTH) }
  return { ...rest, ...(cut && { error: cut }) }
}

/** Throws what `toJson` throws. */
function hasTooMuchUsage ({ usage }: RunEnding): boolean {
  return usage !== undefined && Buffer.byteLength(toJson(usage)) > MAX_USAGE_BYTES
}

function cutTo (text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1).toWellFormed()}…`
}

/** How the provider's own `complete` says that the run ended; what contradicts success is failure. */
function endingOf ({ fields: { exitCode, usage, error } }: CheckedEvent): RunEnding {
  const problem = isRecord(error) ? { code: textOr(error['code'], 'PROVIDER_FAILED'), message: textOr(error['message'], '') } : undefined
  const given = exitCode === undefined ? 0 : Number.isInteger(exitCode) ? exitCode as number : 1
  const code = given === 0 && problem !== undefined ? 1 : given
  return {
    exitCode: code,
    aborted: false,
    reason: code === 0 ? 'finished' : 'failed',
    ...(isRecord(usage) && { usage }),
    ...(problem && { error: problem })
  }
}

function textOr (value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise
}

function isRecord (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

/** Providers in plain JavaScript return all sorts of things. */
function iterate (iterable: unknown): AsyncIterator<unknown> {
  if (typeof iterable === 'object' && iterable !== null && Symbol.asyncIterator in iterable) {
    return (iterable as AsyncIterable<unknown>)[Symbol.asyncIterator]()
  }
  throw new TypeError('a provider\'s run must return an AsyncIterable')
}
