/* What an agent will do for one message, drawn beforehand. */
import type { PermissionRequest } from '../../lib/protocol/words.ts'
import type { ProviderEvent } from '../../lib/provider/provider.ts'
import type { Prng } from './prng.ts'

/** A request for leave: whether the agent does nothing else meanwhile, and when it takes it back: after so many ms, or once it is stopped. */
export interface Asking {
  /** Nobody else's; the input holds it too. */
  name: string
  request: PermissionRequest
  waits: boolean
  withdrawnAfter: number | 'stop' | null
}

export interface Script {
  steps: Array<{ yields: unknown } | { pauses: number } | { asks: Asking }>
  ending: 'return' | 'complete' | 'fail' | 'throw' | 'hang'
  exitCode: number
  /** What it does when it is stopped. */
  stopped: 'return' | 'throw' | 'ignore'
  /**
   * Pieces of text of which each must be in the final log exactly once if the run finishes; null if the agent is not
   * one to make sense of.
   */
  tokens: string[] | null
  /** The native ids that it announces. */
  nativeIds: string[]
}

type Whole = 'text' | 'thinking'

const DELTA_OF = { text: 'stream_delta', thinking: 'thinking_delta' } as const
const GARBAGE: unknown[] = [
  null, 'text', 7, {}, { kind: '' }, { kind: 'chat_subscribed' }, { kind: 'text' }, { kind: 'stream_delta', content: 1 }, { kind: 'permission_request' },
  { kind: 'session_created', newSessionId: '' }, { kind: 'gap', from: 1 }, { kind: 'stream_end', messageId: 5 }
]
const FLOOD = 700

class Author {
  readonly tokens: string[] = []
  readonly nativeIds: string[] = []
  readonly #steps: Script['steps'] = []
  readonly #prng: Prng
  readonly #name: string
  /** Whether streams without a name are followed by their wholes: else nobody could tell whose whole one is. */
  readonly #wholes: boolean
  #known: string[]
  #messages = 0
  #requests = 0

  constructor (prng: Prng, name: string, known: string | null) {
    this.#prng = prng
    this.#name = name
    this.#wholes = prng.chance(0.5)
    this.#known = known === null ? [] : [known]
  }

  write (): Script {
    const prng = this.#prng
    const blocks = prng.between(0, 6)
    for (let block = 0; block < blocks; block++) this.#block()
    const wild = prng.chance(0.1)
    return {
      steps: wild ? this.#shuffled() : this.#steps,
      ending: prng.weighted({ return: 60, complete: 15, fail: 8, throw: 8, hang: 9 }),
      exitCode: prng.pick([0, 0, 3]),
      stopped: prng.weighted({ return: 70, throw: 10, ignore: 20 }),
      tokens: wild ? null : this.tokens,
      nativeIds: this.nativeIds
    }
  }

  #block (): void {
    const prng = this.#prng
    switch (prng.weighted({ stream: 40, interleaved: 10, whole: 10, tool: 12, ask: 20, aside: 10, custom: 8, native: 10, flood: 1, pause: 10, garbage: 3 })) {
      case 'stream': return this.#stream(prng.pick<Whole>(['text', 'text', 'thinking']), prng.chance(0.5) ? this.#messageId() : undefined)
      case 'interleaved': return this.#interleaved()
      case 'whole': return this.#whole(prng.pick<Whole>(['text', 'thinking']), this.#wholes && prng.chance(0.5) ? undefined : this.#messageId(), this.#words())
      case 'tool': return this.#tool()
      case 'ask': return this.#ask()
      case 'aside': return this.#aside()
      case 'custom': return this.#yield({ kind: 'custom', name: 'note', data: { of: this.#anId() }, transient: prng.chance(0.5) })
      case 'native': return this.#announce()
      case 'flood': return this.#deltas('text', this.#messageId(), FLOOD, false)
      case 'pause': return this.#pause(2_000)
      case 'garbage': return this.#yield(prng.pick(GARBAGE))
    }
  }

  #stream (whole: Whole, messageId: string | undefined): void {
    const from = this.#steps.length
    this.#deltas(whole, messageId, this.#prng.between(1, 8), true)
    const content = this.#steps.slice(from).map((step) => 'yields' in step ? contentOf(step.yields, DELTA_OF[whole]) : '').join('')
    const brings = messageId === undefined ? this.#wholes : this.#prng.chance(0.5)
    const ends = messageId === undefined && !brings ? true : this.#prng.chance(0.5)
    if (ends) this.#yield({ kind: 'stream_end', ...(messageId !== undefined && { messageId }) })
    if (brings) this.#whole(whole, messageId, content)
  }

  #deltas (whole: Whole, messageId: string | undefined, count: number, pausing: boolean): void {
    for (let delta = 0; delta < count; delta++) {
      for (const content of this.#pieces(this.#words())) {
        this.#yield({ kind: DELTA_OF[whole], content, ...(messageId !== undefined && { messageId }) })
        if (pausing && this.#prng.chance(0.3)) this.#pause(300)
        if (pausing && this.#prng.chance(0.1)) this.#aside()
      }
    }
  }

  #interleaved (): void {
    const ids = [this.#messageId(), this.#messageId()]
    for (let delta = this.#prng.between(2, 10); delta > 0; delta--) {
      this.#yield({ kind: 'stream_delta', content: this.#words(), messageId: this.#prng.pick(ids) })
      if (this.#prng.chance(0.3)) this.#pause(300)
    }
  }

  #whole (whole: Whole, messageId: string | undefined, content: string): void {
    this.#yield({ kind: whole, content, ...(whole === 'text' && { role: 'assistant' }), ...(messageId !== undefined && { messageId }) })
  }

  #tool (): void {
    const toolId = this.#anId()
    this.#yield({ kind: 'tool_use', toolId, toolName: 'look', toolInput: { at: this.#anId() } })
    for (let updates = this.#prng.between(0, 3); updates > 0; updates--) this.#yield({ kind: 'tool_update', toolId, status: 'looking' })
    this.#yield({ kind: 'tool_result', toolId, toolResult: { content: this.#anId(), isError: false } })
  }

  #ask (): void {
    const prng = this.#prng
    for (let requests = prng.pick([1, 1, 1, 2, 3]); requests > 0; requests--) {
      const options = prng.chance(0.3) ? [{ optionId: 'once', name: 'Once' }, { optionId: 'always', name: `Always, ${this.#anId()}` }] : undefined
      const name = `${this.#name}.${++this.#requests}`
      const withdrawnAfter = prng.chance(0.4) ? prng.pick([0, 1, 20, 500, 3_000, 'stop', 'stop', 'stop'] as const) : null
      const input = { of: name, withdrawn: typeof withdrawnAfter === 'number', at: prng.chance(0.2) ? this.#anId() : 'x' }
      this.#steps.push({ asks: { name, request: { toolName: 'change', input, ...(options && { options }) }, waits: prng.chance(0.6), withdrawnAfter } })
    }
  }

  #aside (): void {
    this.#yield(this.#prng.pick([
      { kind: 'usage', inputTokens: 3 }, { kind: 'plan', entries: [] }, { kind: 'status', text: 'thinking' }, { kind: 'custom', name: 'tick', transient: true }
    ]))
  }

  #announce (): void {
    const id = `native-${this.#prng.pick(['', 'ä/'])}${this.#name}-${this.nativeIds.length}-id`
    this.nativeIds.push(id)
    this.#known = [...this.#known, id]
    this.#yield({ kind: 'session_created', newSessionId: id })
  }

  #messageId (): string {
    return `m${++this.#messages}`
  }

  /** Something that may be a native id. */
  #anId (): string {
    return this.#known.length > 0 && this.#prng.chance(0.5) ? this.#prng.pick(this.#known) : 'x'
  }

  #words (): string {
    const token = `<${this.#name}.${this.tokens.length}>`
    this.tokens.push(token)
    const id = this.#anId()
    return id === 'x' ? token : `${token}${this.#prng.pick(['', ' '])}${this.#prng.chance(0.2) ? encodeURIComponent(id) : id}`
  }

  /** Text as it comes in deltas: ids, and words, may be torn. */
  #pieces (text: string): string[] {
    if (this.#prng.chance(0.6)) return [text]
    const at = this.#prng.between(1, text.length - 1)
    return [text.slice(0, at), text.slice(at)]
  }

  #pause (longest: number): void {
    this.#steps.push({ pauses: this.#prng.between(1, longest) })
  }

  #yield (event: ProviderEvent | unknown): void {
    this.#steps.push({ yields: event })
  }

  #shuffled (): Script['steps'] {
    // Ids are announced before they are used, however wild the rest is.
    const announcements = this.#steps.filter((step) => isAnnouncement(step))
    const others = this.#steps.filter((step) => !isAnnouncement(step))
    for (let index = others.length - 1; index > 0; index--) {
      const other = this.#prng.between(0, index)
      ;[others[index], others[other]] = [others[other]!, others[index]!]
    }
    return [...announcements, ...others]
  }
}

/** The script of a run that is called `name`; `known` is the agent's id of the session. */
export function writeScript (prng: Prng, name: string, known: string | null): Script {
  return new Author(prng, name, known).write()
}

/** A script that answers and ends. */
export function plainScript (name: string): Script {
  const token = `<${name}.0>`
  return {
    steps: [{ yields: { kind: 'stream_delta', content: token } }], ending: 'return', exitCode: 0, stopped: 'return', tokens: [token], nativeIds: []
  }
}

function contentOf (event: unknown, kind: string): string {
  const { kind: its, content } = event as { kind?: string, content?: string }
  return its === kind ? content! : ''
}

function isAnnouncement (step: Script['steps'][number]): boolean {
  return 'yields' in step && (step.yields as { kind?: string } | null)?.kind === 'session_created'
}
