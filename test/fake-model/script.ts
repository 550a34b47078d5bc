/* What the fake model does: decided by the newest thing that a user said. */
import { type Asked, type Call, newId, type Result, type Step, type Stop } from './wire.ts'

/** How an answer ends. */
export type Ending =
  | { how: 'stop', stop: Stop }
  /** A delta every 50 ms until the client leaves. */
  | { how: 'never' }
  /** Nothing more, until the client leaves. */
  | { how: 'hang' }
  /** The connection breaks. */
  | { how: 'cut' }
  /** The service reports an error in its stream. */
  | { how: 'break' }

/** What is said, and how that ends. */
export interface Play {
  steps: Step[]
  ending: Ending
}

export type Script = Play | { fail: number, final: boolean, once: boolean }

const END: Ending = { how: 'stop', stop: { why: 'end' } }

/** The words of users in a request, one for each of their turns, oldest first. */
export function userTurns ({ turns }: Asked): string[] {
  // What had no answer comes together with what was said next: the newest is the last paragraph.
  return turns.flatMap((turn) => turn.role === 'user' && turn.texts.length > 0 ? [turn.texts.at(-1)!.split('\n\n').at(-1)!] : [])
}

/** What is to be done for a request. */
export function scriptOf (asked: Asked): Script {
  const said = userTurns(asked)
  const newest = (said.at(-1) ?? '').trim()
  const results = newestResults(asked)
  const [, word = '', name, rest = ''] = /^([A-Z_]+)(?::(\S+))?(?:\s+([^]*))?$/.exec(newest) ?? []
  const youSaid = (text: string): Step[] => words(`You said: ${text} (turn ${said.length})`)
  switch (word) {
    case 'THINK':
      return { steps: [...words(`Let me think about: ${rest}`, 'reasoning'), ...youSaid(rest)], ending: END }
    case 'USE_TOOL':
      if (results.length > 0) return { steps: words(results.map(quote).join(' ')), ending: END }
      return calling(asked, name, rest)
    case 'LOOP':
      return calling(asked, name, rest)
    case 'SLOW':
      return { steps: youSaid(rest), ending: { how: 'never' } }
    case 'HANG':
      return { steps: youSaid(rest), ending: { how: 'hang' } }
    case 'FAIL': {
      const [status, ...how] = rest.split(/\s+/)
      return { fail: Number(status), final: how.includes('final'), once: how.includes('once') }
    }
    case 'CUT':
      return { steps: youSaid(rest).slice(0, 3), ending: { how: 'cut' } }
    case 'BREAK':
      return { steps: youSaid(rest).slice(0, 3), ending: { how: 'break' } }
    case 'STOP': {
      const [reason = '', ...text] = rest.split(/\s+/)
      return { steps: youSaid(text.join(' ')), ending: { how: 'stop', stop: { why: 'as told', reason } } }
    }
    case 'QUOTE':
      return { steps: words(rest), ending: END }
    default:
      return { steps: youSaid(newest), ending: END }
  }
}

/** What tools answered since the user last spoke. */
function newestResults ({ turns }: Asked): Result[] {
  const since = turns.slice(turns.findLastIndex((turn) => turn.role === 'user' && turn.texts.length > 0) + 1)
  return since.flatMap((turn) => turn.role === 'tool' ? turn.results : [])
}

function quote ({ text, isError }: Result): string {
  return `The tool ${isError ? 'failed' : 'said'}: ${text}`
}

function calling ({ tools }: Asked, wanted: string | undefined, json: string): Script {
  const name = wanted ?? tools.find((tool) => /^(bash|shell)$/i.test(tool)) ?? tools.find((tool) => /bash|shell|run|tool/i.test(tool)) ?? tools[0]
  if (name === undefined) return { steps: words('I have no tools.'), ending: END }
  const input: unknown = json === '' ? {} : JSON.parse(json)
  const calls: Call[] = (Array.isArray(input) ? input : [input]).map((each: unknown) => ({ id: newId('call_'), name, input: each }))
  return {
    steps: [...words('Let me see. '), ...calls.map((call): Step => ({ type: 'call', call }))],
    ending: { how: 'stop', stop: { why: 'tools' } }
  }
}

function words (text: string, type: 'text' | 'reasoning' = 'text'): Step[] {
  return (text.match(/\s*\S+\s*/g) ?? []).map((word) => ({ type, text: word }))
}
