/*
 * A model service on loopback that speaks the APIs of the real ones, and does as the newest words of a user say:
 *
 *   <anything>          says `You said: <anything> (turn N)`, N = how many turns of the user are in the request
 *   THINK <text>        reasons, then says the same
 *   QUOTE <text>        says it
 *   USE_TOOL <json>     calls a tool with that input (an array: once for each), then quotes its result. The tool is the first
 *                       that is called bash or shell, else has bash, shell, run or tool in its name, else the first;
 *                       `USE_TOOL:<name> <json>` names it
 *   LOOP <json>         calls it again and again
 *   SLOW <text>         speaks for ever, a delta every 50 ms
 *   HANG <text>         speaks, and then says nothing more
 *   CUT <text>          begins to speak, then the connection breaks
 *   BREAK <text>        begins to speak, then reports an error in its stream
 *   STOP <reason> <text> speaks, and stops for that reason, in the words of the API
 *   FAIL <status> [once] [final]   answers with that HTTP error; once: only the first request; final: tells SDKs not to retry
 */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { anthropic } from '../fake-model/anthropic.ts'
import { gemini } from '../fake-model/gemini.ts'
import { openaiChat } from '../fake-model/openai-chat.ts'
import { openaiResponses } from '../fake-model/openai-responses.ts'
import { type Ending, type Play, scriptOf, userTurns } from '../fake-model/script.ts'
import { type Api, type Asked, newId, Refused, type Step, type Usage, type Writer } from '../fake-model/wire.ts'

const APIS: Record<string, Api> = { anthropic, 'openai-chat': openaiChat, 'openai-responses': openaiResponses, gemini }

/** What is said to those whom a `FAIL … once` failed. */
const BETTER: Play = { steps: [{ type: 'text', text: 'Better now.' }], ending: { how: 'stop', stop: { why: 'end' } } }

/** A request that came, as it came. */
export interface ModelRequest {
  /** Which API; `other` for what only counts or lists. */
  api: 'anthropic' | 'openai-chat' | 'openai-responses' | 'gemini' | 'other'
  /** With the query. */
  path: string
  headers: IncomingHttpHeaders
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into it as deep as they like
  body: any
  /** The newest words of the user. */
  said: string
  /** `closed`: the connection went away before the answer was complete, by whosever doing. */
  state: 'open' | 'answered' | 'closed'
}

export class FakeModel {
  readonly requests: ModelRequest[] = []
  readonly #server: Server
  #port = 0
  readonly #sockets = new Set<Socket>()
  /** What has failed once and will not again. */
  readonly #failed = new Set<string>()
  #closedConnections = 0
  #waiting: Array<() => void> = []

  private constructor () {
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy())
    })
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.setNoDelay(true).on('error', () => {})
      socket.on('close', () => {
        this.#sockets.delete(socket)
        this.#closedConnections++
        this.#notify()
      })
      this.#notify()
    })
  }

  /** A service on a port of its own, gone with the test if there is one. */
  static async open (t?: Test): Promise<FakeModel> {
    const model = new FakeModel()
    model.#server.listen(0, '127.0.0.1')
    await once(model.#server, 'listening')
    model.#port = (model.#server.address() as AddressInfo).port
    t?.teardown(() => model.kill())
    return model
  }

  /** The base URL, without `/v1`: what `ANTHROPIC_BASE_URL` and Gemini's want. It stays when the model dies. */
  get url (): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** The base URL that OpenAI's SDKs want. */
  get openaiUrl (): string {
    return `${this.url}/v1`
  }

  get openConnections (): number {
    return this.#sockets.size
  }

  get closedConnections (): number {
    return this.#closedConnections
  }

  /** The newest request of a model; throws if there is none. */
  get last (): ModelRequest {
    const request = this.requests.findLast(({ api }) => api !== 'other')
    if (request === undefined) throw new Error('nobody asked the model anything')
    return request
  }

  /** Resolves once `enough` holds; it is asked again whenever a request or connection comes, goes or is answered. */
  async until (enough: (model: FakeModel) => boolean): Promise<this> {
    while (!enough(this)) await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
    return this
  }

  /** Breaks all connections; new ones are taken. */
  cut (): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Dies: breaks all connections and takes no more. Idempotent. */
  kill (): void {
    this.#server.close()
    this.cut()
  }

  async #serve (incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    const path = incoming.url!
    const request: ModelRequest = { api: apiOf(path), path, headers: incoming.headers, body: text === '' ? null : JSON.parse(text), said: '', state: 'open' }
    this.requests.push(request)
    response.on('finish', () => this.#settle(request, 'answered'))
    response.on('close', () => this.#settle(request, 'closed'))
    const api = APIS[request.api]
    if (api === undefined) answerOther(response, path, text)
    else await this.#answer(response, request, api)
  }

  async #answer (response: ServerResponse, request: ModelRequest, api: Api): Promise<void> {
    const asked = readOr400(response, request, api)
    if (asked === null) return
    request.said = userTurns(asked).at(-1) ?? ''
    this.#notify()
    const script = scriptOf(asked)
    if ('fail' in script && !(script.once && this.#failed.has(request.said))) {
      this.#failed.add(request.said)
      // The services like to repeat the key that they were given.
      const key = request.headers.authorization ?? request.headers['x-api-key'] ?? request.headers['x-goog-api-key'] ?? 'none'
      const message = script.fail === 401 ? `Incorrect API key provided: ${String(key)}` : `The service says ${script.fail}.`
      return json(response, script.fail, api.error(script.fail, message), script.final ? { 'x-should-retry': 'false' } : {})
    }
    const { steps, ending }: Play = 'fail' in script ? BETTER : script
    if (asked.stream) return stream(response, api.writer(asked, request.body), steps, ending, usageOf(asked, steps))
    if (ending.how === 'stop') json(response, 200, api.writer(asked, request.body).whole(steps, ending.stop, usageOf(asked, steps)))
    // Who does not stream, and is not to get an answer, waits.
    else if (ending.how !== 'never' && ending.how !== 'hang') response.destroy()
  }

  #settle (request: ModelRequest, state: 'answered' | 'closed'): void {
    if (request.state === 'open') request.state = state
    this.#notify()
  }

  #notify (): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

async function stream (response: ServerResponse, writer: Writer, steps: Step[], ending: Ending, usage: Usage): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache', 'x-request-id': newId('req_') })
  await write(response, writer.start())
  for (const step of steps) await write(response, writer.step(step))
  if (ending.how === 'stop') await write(response, writer.end(ending.stop, usage))
  if (ending.how === 'break') await write(response, writer.failure('The service is overloaded.'))
  for (let n = 1; ending.how === 'never' && !response.destroyed; n++) {
    await delay(50)
    await write(response, writer.step({ type: 'text', text: ` ${n}` }))
  }
  if (ending.how === 'hang') return
  // Those who lose a connection also lose what they have not taken from it yet.
  if (ending.how === 'cut') await delay(50).then(() => response.destroy())
  else response.end()
}

function apiOf (path: string): ModelRequest['api'] {
  if (/\/v1\/messages(\?|$)/.test(path)) return 'anthropic'
  if (/\/chat\/completions(\?|$)/.test(path)) return 'openai-chat'
  if (/\/responses(\?|$)/.test(path)) return 'openai-responses'
  return /:(streamGenerateContent|generateContent)(\?|$)/.test(path) ? 'gemini' : 'other'
}

function readOr400 (response: ServerResponse, { body, path }: ModelRequest, api: Api): Asked | null {
  try {
    return api.read(body, path)
  } catch (error) {
    json(response, 400, api.error(400, error instanceof Refused ? error.message : `The request is malformed: ${String(error)}`))
    return null
  }
}

/** What clients ask around their requests: how long they would be, and which models there are. */
function answerOther (response: ServerResponse, path: string, text: string): void {
  const tokens = Math.ceil(text.length / 4)
  if (path.includes('/count_tokens')) json(response, 200, { input_tokens: tokens })
  else if (path.includes(':countTokens')) json(response, 200, { totalTokens: tokens })
  else if (/\/models(\?|$)/.test(path)) json(response, 200, { object: 'list', data: [{ id: 'fake', object: 'model', created: 0, owned_by: 'nobody' }] })
  else json(response, 404, { error: { message: `There is no ${path}.`, type: 'invalid_request_error', param: null, code: null } })
}

function json (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', 'x-request-id': newId('req_'), ...headers }).end(JSON.stringify(body))
}

/** Each delta leaves by itself. */
function write (response: ServerResponse, text: string): Promise<void> {
  if (text === '' || response.destroyed) return Promise.resolve()
  return new Promise((resolve) => { response.write(text, () => resolve()) })
}

/** Made up, but the same each time: ten tokens a turn, and one a delta. */
function usageOf (asked: Asked, steps: Step[]): Usage {
  const count = (type: Step['type']): number => steps.filter((step) => step.type === type).length
  return { input: 10 * userTurns(asked).length, output: count('text') + count('call'), reasoning: count('reasoning') }
}
