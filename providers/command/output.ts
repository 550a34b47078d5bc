/* A command's standard output → events: JSON lines are read as the command means them, everything else is streamed text. */
import type { ProviderEvent } from '../../lib/provider/provider.ts'
import { objectIn } from '../process/protocol-lines.ts'

/** A line longer than this is no JSON, whatever it starts with, in characters. */
const MAX_JSON_LINE = 4 * 1024 * 1024

type Complete = Extract<ProviderEvent, { kind: 'complete' }>

/** The events that a line of JSON stands for; null if it is only text. */
export type ReadLine = (value: Record<string, unknown>) => ProviderEvent[] | null

/** Of the lines of a protocol that say nothing in it, so much of the end is kept, in characters. */
const NOISE_KEPT = 2_048

interface OutputOptions {
  /** Default: objects with a `kind` are events. */
  read?: ReadLine | undefined
  /** Whether the lines are a protocol: then what `read` does not know is noise, and no part of the answer. Default false. */
  isProtocol?: boolean
}

export class CommandOutput {
  /** The start of a line that may turn out to be JSON. */
  #held = ''
  #atLineStart = true
  #inText = false
  /** What the command itself said of its end; the exit code is only known later. */
  complete: Complete | null = null
  /** The end of what was noise. */
  noise = ''
  readonly #read: ReadLine
  readonly #isProtocol: boolean

  constructor ({ read = readEvent, isProtocol = false }: OutputOptions = {}) {
    this.#read = read
    this.#isProtocol = isProtocol
  }

  /** The events in a piece of output; text goes out at once, without waiting for its line to end. */
  take (output: string): ProviderEvent[] {
    const events: ProviderEvent[] = []
    let rest = this.#held + output
    this.#held = ''
    while (rest !== '') {
      const end = rest.indexOf('\n') + 1
      const line = end === 0 ? rest : rest.slice(0, end)
      const mayBeJson = this.#atLineStart && (this.#isProtocol || line.startsWith('{')) && line.length < MAX_JSON_LINE
      if (mayBeJson && end === 0) {
        this.#held = rest
        break
      }
      events.push(...mayBeJson ? this.#line(line) : this.#text(line))
      this.#atLineStart = end > 0
      rest = rest.slice(line.length)
    }
    return events
  }

  /** The events in what is left when the output has ended. */
  end (): ProviderEvent[] {
    const line = this.#held
    this.#held = ''
    return line === '' ? [] : this.#line(line)
  }

  #line (line: string): ProviderEvent[] {
    const read = this.#readLine(line)
    if (read === null) return this.#text(line)
    // What was said before is over: the history keeps it before what comes now.
    const events: ProviderEvent[] = this.#inText ? [{ kind: 'stream_end' }] : []
    this.#inText = false
    for (const event of read) {
      if (event.kind === 'complete') this.complete = event
      else events.push(event)
    }
    return events
  }

  #readLine (line: string): ProviderEvent[] | null {
    try {
      const value = JSON.parse(this.#isProtocol ? objectIn(line) ?? '' : line) as unknown
      return typeof value === 'object' && value !== null ? this.#read(value as Record<string, unknown>) : null
    } catch {
      return null
    }
  }

  #text (content: string): ProviderEvent[] {
    if (this.#isProtocol) {
      this.noise = (this.noise + content).slice(-NOISE_KEPT)
      return []
    }
    this.#inText = true
    return [{ kind: 'stream_delta', content }]
  }
}

/** A line that is an event already. The run checks the rest. */
function readEvent (value: Record<string, unknown>): ProviderEvent[] | null {
  return typeof value['kind'] === 'string' ? [value as unknown as ProviderEvent] : null
}
