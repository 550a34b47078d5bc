/* The approvals of one run: the agent asks, the log says so, and the agent hears what the log says came of it. */
import { randomUUID } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { RUN_ERRORS } from '../protocol/errors.ts'
import { toJson } from '../protocol/json.ts'
import type { Limits } from '../protocol/limits.ts'
import type { PermissionDecision, PermissionRequest } from '../protocol/words.ts'
import { ProviderError } from '../provider/provider.ts'
import type { RunLog } from './committer.ts'
import type { RunWriter } from './run-writer.ts'

/** A request without an outcome that is durable. */
interface Waiting {
  /** Its outcome is on its way to the store. */
  answered: boolean
  resolve: (decision: PermissionDecision) => void
  reject: (reason: unknown) => void
}

export class Permissions {
  readonly #log: RunLog
  readonly #writer: RunWriter
  readonly #limits: Limits
  /** Of the requests that wait. */
  #bytes = 0
  /** By the id of the request, in the order in which they were made. */
  readonly #waiting = new Map<string, Waiting>()
  #ended = false

  constructor (log: RunLog, writer: RunWriter, limits: Limits) {
    this.#log = log
    this.#writer = writer
    this.#limits = limits
  }

  /** Whether any request waits. */
  get waiting (): boolean {
    return this.#waiting.size > 0
  }

  /** See `RunContext.requestPermission`. */
  ask (request: PermissionRequest, options: { signal?: AbortSignal } = {}): Promise<PermissionDecision> {
    const asked = this.#ask(request, options)
    // An agent that does not listen any more must not take the process with it.
    asked.catch(() => {})
    return asked
  }

  async #ask (request: PermissionRequest, { signal }: { signal?: AbortSignal }): Promise<PermissionDecision> {
    if (this.#ended) throw endOfRun()
    signal?.throwIfAborted()
    const fields = requestFields(request)
    const bytes = Buffer.byteLength(toJson(fields))
    if (this.#waiting.size >= this.#limits.pendingPermissions || this.#bytes + bytes > this.#limits.pendingPermissionBytes) {
      throw new ProviderError(RUN_ERRORS.TOO_MANY_PERMISSIONS, { code: 'TOO_MANY_PERMISSIONS' })
    }
    const requestId = randomUUID()
    const withdraw = (): void => this.#withdraw(requestId, reasonOf(signal!))
    // First, as what is no signal throws here: nothing is asked that nobody waits for.
    signal?.addEventListener('abort', withdraw, { once: true })
    try {
      this.#writer.write({ kind: 'permission_request', fields: { requestId, ...fields } })
      this.#bytes += bytes
      return await new Promise<PermissionDecision>((resolve, reject) => { this.#waiting.set(requestId, { answered: false, resolve, reject }) }).finally(() => { this.#bytes -= bytes })
    } finally {
      signal?.removeEventListener('abort', withdraw)
    }
  }

  /** Takes the answer that holds, and tells the agent once that is durable. Resolves when it is, or when it never will be. */
  async answer (requestId: string, decision: PermissionDecision): Promise<void> {
    const waiting = this.#waiting.get(requestId)
    if (waiting === undefined || waiting.answered) return
    waiting.answered = true
    const { allow, optionId } = decision
    this.#writer.writeOutcome('permission_resolved', { requestId, allow, ...(optionId !== undefined && { optionId }) })
    await this.#log.settled()
    // In a turn of its own the agent's next step is the first: no abort comes between what it is told and what it does.
    await nextTurn()
    // The end of the run, if that came first, has told it otherwise; a log that takes no more is such an end.
    if (this.#waiting.delete(requestId)) waiting.resolve(decision)
  }

  /** The run ends: who still waits hears so. Answers the requests that have no outcome in the log yet. */
  end (): string[] {
    this.#ended = true
    const open = [...this.#waiting].filter(([, { answered }]) => !answered).map(([requestId]) => requestId)
    for (const { reject } of this.#waiting.values()) reject(endOfRun())
    this.#waiting.clear()
    return open
  }

  #withdraw (requestId: string, reason: unknown): void {
    const waiting = this.#waiting.get(requestId)
    if (waiting === undefined || waiting.answered) return
    this.#waiting.delete(requestId)
    this.#writer.writeOutcome('permission_cancelled', { requestId, reason: 'withdrawn' })
    waiting.reject(reason)
  }
}

/** Of a signal of the agent's, which may be anything: a listener that throws would end the process. */
function reasonOf (signal: AbortSignal): unknown {
  try {
    return signal.reason
  } catch (error) {
    return error
  }
}

function endOfRun (): DOMException {
  return new DOMException('The run has ended.', 'AbortError')
}

/** What clients rely on; throws TypeError at what an adapter in JavaScript may pass by mistake. */
function requestFields ({ toolId, toolName, input, options }: PermissionRequest): PermissionRequest {
  if (typeof toolName !== 'string' || toolName === '') throw new TypeError('a request for permission needs a toolName')
  if (toolId !== undefined && typeof toolId !== 'string') throw new TypeError('a toolId must be a string')
  if (typeof input === 'function' || typeof input === 'symbol') throw new TypeError('the input of a request for permission must be JSON')
  // A copy has no holes.
  if (options !== undefined && !(Array.isArray(options) && [...options].every((option) => typeof option?.optionId === 'string' && typeof option.name === 'string'))) {
    throw new TypeError('the options of a request for permission need an optionId and a name each')
  }
  return { ...(toolId !== undefined && { toolId }), toolName, input: input ?? null, ...(options !== undefined && { options }) }
}
