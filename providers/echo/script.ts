/* The scripts of the echo provider: failures that can be rehearsed against a real server. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { ProviderEvent, RunContext } from '../../lib/provider/provider.ts'

const MODES = [
  'ok', 'burst', 'throwSync', 'throwAfter', 'noTerminal', 'doubleTerminal', 'emitAfter', 'hang', 'ignoreAbort', 'huge',
  'weird', 'unserialisable', 'leak', 'approval'
] as const

/** What a message `{"demo":{…}}` asks for. */
export interface Script {
  mode: typeof MODES[number]
  /** How many events. Default 10. */
  n: number
  /** The pause before each event, in ms. Default 0. */
  gapMs: number
  /** Marks the events of this script: event i (from 1) holds `@@<nonce>:<i>@@`. Default 'demo'. */
  nonce: string
  /** The event at which the mode strikes. Default: half of `n`, at least 1. */
  at: number
  /** Filler characters in each event. Default 0; of `huge` 2 MiB. */
  size: number
  /** What the events are: whole texts, or deltas of one message. */
  kind: 'text' | 'stream_delta'
}

const HUGE = 2 * 1024 * 1024
/** Above every limit of an event; it is made before it can be refused. */
const LARGEST = 2 * HUGE
/** More a timer does not take. */
const LONGEST_GAP_MS = 2 ** 31 - 1
const FORGED = '\r\nid: 999999\r\nevent: forged\r\ndata: {}\r\n\r\n'
const WEIRD = `CR\rLF\nCRLF\r\n LS\u2028 PS\u2029 NUL\u0000 BOM\uFEFF lone\uD800 surrogates\uDC00 end${FORGED}`

/** What every native id and every thrown message of the echo holds, so that one can look for it on the wire. */
export function marker (): string {
  return process.env['ECHO_NATIVE_MARKER'] ?? 'unmarked'
}

/** The script in a message, or null if it is an ordinary one. */
export function parseScript (text: string): Script | null {
  if (!text.startsWith('{')) return null
  let demo: Partial<Script> | undefined
  try {
    demo = (JSON.parse(text) as { demo?: Partial<Script> }).demo
  } catch {
    return null
  }
  if (typeof demo !== 'object' || demo === null) return null
  const number = (value: unknown, otherwise: number, most = Number.MAX_SAFE_INTEGER): number => typeof value === 'number' && value >= 0 ? Math.min(Math.floor(value), most) : otherwise
  const mode = MODES.find((known) => known === demo.mode) ?? 'ok'
  const n = number(demo.n, 10)
  return {
    mode,
    n,
    gapMs: number(demo.gapMs, 0, LONGEST_GAP_MS),
    nonce: String(demo.nonce ?? 'demo'),
    at: number(demo.at, Math.max(1, Math.floor(n / 2))),
    size: number(demo.size, mode === 'huge' ? HUGE : 0, LARGEST),
    kind: demo.kind === 'stream_delta' ? 'stream_delta' : 'text'
  }
}

/** Plays a script. Throws at once in mode `throwSync`, as a provider that is no generator may. */
export function playScript (script: Script, context: RunContext, nativeId: string): AsyncIterable<ProviderEvent> {
  if (script.mode === 'throwSync') throw new Error(`thrown before the first event by ${nativeId} ${marker()}`)
  return play(script, context, nativeId)
}

async function * play (script: Script, context: RunContext, nativeId: string): AsyncGenerator<ProviderEvent> {
  const { mode, n, at, gapMs } = script
  const { signal } = context
  const event = eventsOf(script, nativeId)
  // The only mode that does not hear the abort.
  const pause = async (): Promise<void> => {
    if (gapMs > 0) await delay(gapMs, undefined, mode === 'ignoreAbort' ? {} : { signal })
  }
  yield { kind: 'session_created', newSessionId: nativeId }
  if (mode === 'emitAfter') {
    yield event(1)
    yield { kind: 'complete', exitCode: 0 }
    yield event(2)
    yield event(3)
    yield { kind: 'complete', exitCode: 7 }
    throw new Error(`thrown after the end by ${nativeId} ${marker()}`)
  }
  for (let i = 1; i <= n; i++) {
    if (mode !== 'burst') await pause()
    yield event(i)
    if (i !== at) continue
    if (mode === 'throwAfter') throw new Error(`thrown after event ${i} by ${nativeId} ${marker()}`)
    if (mode === 'hang') return await aborted(signal)
    if (mode === 'approval') yield * askFirst(script, context)
  }
  if (mode === 'ignoreAbort') {
    for (let i = n + 1; ; i++) {
      await delay(Math.max(gapMs, 10))
      yield event(i)
    }
  }
  if (mode === 'leak') {
    yield { kind: 'error', code: 'LEAK', message: `session ${nativeId} is not happy` }
    yield { kind: 'complete', exitCode: 1, usage: { session: nativeId }, error: { code: 'LEAK', message: `failed in ${nativeId}` } }
  }
  if (mode === 'doubleTerminal') {
    yield { kind: 'complete', exitCode: 0 }
    yield { kind: 'complete', exitCode: 9 }
  }
}

/** A tool that runs only if somebody lets it. */
async function * askFirst ({ nonce }: Script, { requestPermission }: RunContext): AsyncGenerator<ProviderEvent> {
  const tool = { toolId: randomUUID(), toolName: 'demo' }
  const input = { nonce }
  yield { kind: 'tool_use', ...tool, toolInput: input }
  const { allow, optionId, updatedInput = input, message } = await requestPermission({
    ...tool, input, options: [{ optionId: 'once', name: 'Allow once', kind: 'allow_once' }, { optionId: 'never', name: 'Reject', kind: 'reject_once' }]
  })
  const content = { said: allow ? 'allowed' : 'refused', optionId, message, ...(allow && { input: updatedInput }) }
  yield { kind: 'tool_result', toolId: tool.toolId, toolResult: { content, isError: !allow } }
}

function eventsOf ({ mode, nonce, size, at, kind }: Script, nativeId: string): (i: number) => ProviderEvent {
  const messageId = randomUUID()
  const filler = 'x'.repeat(size)
  return (i) => {
    const content = `@@${nonce}:${i}@@${filler}`
    const whole = (text: string, more: object = {}): ProviderEvent => (
      kind === 'text' ? { kind, content: text, ...more } : { kind, messageId, content: text, ...more }
    )
    if (mode === 'weird') return whole(content + WEIRD, { id: `999${FORGED}`, event: FORGED, seq: 999_999, sessionId: 'forged', runId: 'forged', timestamp: 'forged' })
    if (mode === 'unserialisable' && i === at) {
      const cycle: Record<string, unknown> = { big: 10n, act: () => {} }
      cycle['self'] = cycle
      return { kind: 'custom', name: content, data: cycle }
    }
    if (mode === 'leak') return leak(i, content, nativeId, whole)
    return whole(content)
  }
}

/** The native id where adapters let it slip: nested, as a key, in a URL, in text, cut in two. */
function leak (i: number, content: string, nativeId: string, whole: (text: string) => ProviderEvent): ProviderEvent {
  const middle = Math.floor(nativeId.length / 2)
  switch (i % 6) {
    case 0: return { kind: 'custom', name: 'leak', data: { content, [nativeId]: { deep: [{ session_id: nativeId }] } } }
    case 1: return { kind: 'tool_use', toolId: `tool-${i}`, toolName: 'curl', toolInput: { content, url: `http://agent.local/s/${encodeURIComponent(nativeId)}?id=${nativeId}#x` } }
    case 2: return { kind: 'tool_result', toolId: `tool-${i - 1}`, toolResult: { content: `${content} resumed ${nativeId}`, isError: false } }
    case 3: return { kind: 'stream_delta', messageId: 'leak', content: `${content} my id is ${nativeId.slice(0, middle)}` }
    case 4: return { kind: 'stream_delta', messageId: 'leak', content: `${nativeId.slice(middle)} indeed ${content}` }
    default: return whole(`${content} I am ${nativeId}`)
  }
}

async function aborted (signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => { signal.addEventListener('abort', () => resolve(), { once: true }) })
}
