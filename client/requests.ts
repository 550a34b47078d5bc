/* Requests over HTTP, and their answers in JSON. */
import { boundedText } from './bounded-text.ts'
import { MAX_RESPONSE_BYTES, tooLarge } from './bounds.ts'
import { RunsClientError } from './errors.ts'
import { httpError } from './http-error.ts'
import { isObject } from './known-frame.ts'
import type { ConnectionOptions } from './options.ts'
import type { Reached } from './reached.ts'
import { repeated } from './repeated.ts'
import { requestHeaders } from './request-headers.ts'
import { Watch } from './watch.ts'

/** One request. */
export interface JsonRequest {
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Below where the plugin is mounted, each part by itself. */
  path: string[]
  /** What is undefined is left out. */
  query?: Record<string, string | number | undefined>
  body?: unknown
  headers?: Record<string, string>
  signal: AbortSignal | undefined
  /** Whether it does no harm twice. Default: no. */
  mayRepeat?: boolean
}

/** An answer that is a success; `body` is a JSON object, and null of a 204. */
export interface JsonAnswer<T> {
  status: number
  body: T
}

export class Requests {
  readonly #base: URL
  readonly #options: ConnectionOptions
  readonly #closed: AbortSignal
  readonly #reached: Reached

  /** To the plugin that is mounted at `base`; none goes on when `closed` aborts, and `reached` is told of answers. */
  constructor (base: URL, options: ConnectionOptions, closed: AbortSignal, reached: Reached) {
    this.#base = base
    this.#options = options
    this.#closed = closed
    this.#reached = reached
  }

  /** The URL of a path. Throws INVALID_REQUEST if a part of it would lead elsewhere. */
  url (path: string[], query: JsonRequest['query'] = {}): URL {
    const wrong = path.find((part) => part === '' || part === '.' || part === '..')
    if (wrong !== undefined) throw new RunsClientError('INVALID_REQUEST', `"${wrong}" is no id.`)
    const url = new URL(this.#base)
    url.pathname = `${url.pathname.replace(/\/$/, '')}/${path.map(encodeURIComponent).join('/')}`
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value))
    }
    return url
  }

  /** Rejects with a RunsClientError, or with the reason of the request's signal. */
  async send<T> ({ mayRepeat = false, signal, ...request }: JsonRequest): Promise<JsonAnswer<T>> {
    const url = this.url(request.path, request.query)
    return repeated((stop) => this.#attempt<T>(url, request, stop), { mayRepeat, retry: this.#options.retry, signal, closed: this.#closed })
  }

  async #attempt<T> (url: URL, request: Omit<JsonRequest, 'signal'>, stop: AbortSignal): Promise<JsonAnswer<T>> {
    const watch = new Watch(stop, this.#options.idleTimeoutMs)
    try {
      return await watch.over(this.#fetched<T>(url, request, watch.signal))
    } finally {
      watch.end()
    }
  }

  async #fetched<T> (url: URL, { method = 'GET', path, body, headers = {} }: Omit<JsonRequest, 'signal'>, signal: AbortSignal): Promise<JsonAnswer<T>> {
    const { fetch = globalThis.fetch, credentials, maxResponseBytes = MAX_RESPONSE_BYTES } = this.#options
    const hasBody = body !== undefined
    const response = await fetch(url, {
      method,
      headers: await requestHeaders(this.#options, { accept: 'application/json', ...headers, ...(hasBody && { 'content-type': 'application/json' }) }),
      signal,
      ...(hasBody && { body: JSON.stringify(body) }),
      ...(credentials !== undefined && { credentials })
    })
    // A proxy answers for a server that is gone with a 502, 503 or 504.
    if (response.status < 500) this.#reached.tell()
    if (!response.ok) throw await httpError(response, path[0] === 'sessions' ? path[1] : undefined)
    const { status } = response
    const text = await boundedText(response, maxResponseBytes)
    if (text === null) throw tooLarge('The answer', maxResponseBytes, status)
    if (status === 204) return { status, body: null as T }
    try {
      const answer: unknown = JSON.parse(text)
      if (isObject(answer)) return { status, body: answer as T }
    } catch {
      // Reported below.
    }
    throw new RunsClientError('HTTP_ERROR', 'The answer is not a JSON object.', { statusCode: status })
  }
}
