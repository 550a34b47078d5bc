/* What a bench finds out: ours against the bare minimum that does the same, and against others. */
import { type Figure, type FigureSpec, type Goal, spread } from './figure.ts'
import { interleave } from './interleave.ts'

/** One round of one side. */
export interface Round {
  figures: Record<string, number>
  /** What somebody did not get, or got twice or out of order; null if everything is right. */
  fault: string | null
}

/** A round in which events went somewhere. */
export interface Work {
  events: number
  ms: number
  /** CPU that the process at work took, user and system, in µs. */
  cpuUs: number
  fault: string | null
}

/** One line of the table: ours against one other side. */
export interface Line {
  bench: string
  what: string
  /** The other side; null if there is none. */
  against: string | null
  rounds: number
  figures: Figure[]
  /** What arrived once and in order, each round of each side. */
  complete: string
  fault: string | null
}

/** Why something was not measured. */
export interface Skipped {
  bench: string
  what: string
  against: string
  skipped: string
}

export type Report = (line: Line | Skipped) => void

/** How benches are run. */
export interface Settings {
  /** A small one, which tells whether everything arrives and little else. */
  quick: boolean
  /** How far databases grow, in events. */
  events: number
}

export type Bench = (settings: Settings, report: Report) => Promise<void>

export interface Comparing {
  bench: string
  what: string
  rounds: number
  /** Whether a first round does not count. Default true. */
  warmUp?: boolean
  /** What each round finds; the goals are told against the first other side alone. */
  figures: Record<string, FigureSpec>
  /** Said of a round without a fault. */
  complete: string
  /** `ours` is one of them. */
  sides: Record<string, () => Promise<Round>>
}

/** Runs all sides in turns; answers a line for each side that is not ours. */
export async function compare ({ bench, what, rounds, warmUp = true, figures, complete, sides }: Comparing): Promise<Line[]> {
  const played = await interleave(rounds, sides, { warmUp })
  const fault = firstFault(played.warmUp === null ? played.turns : [played.warmUp, ...played.turns])
  const others = Object.keys(sides).filter((side) => side !== 'ours')
  const of = (side: string, figure: string): number[] => played.turns.flatMap((turn) => turn[side]!.figures[figure] ?? [])
  return (others.length > 0 ? others : [null]).map((against, index) => ({
    bench,
    what,
    against,
    rounds,
    figures: Object.entries(figures).flatMap(([name, { unit, goal }]): Figure[] => {
      const ours = of('ours', name)
      if (ours.length === 0) return []
      const other = against === null ? [] : of(against, name)
      return [{
        name,
        unit,
        ours: spread(ours),
        other: other.length === 0 ? null : spread(other),
        ratio: other.length === 0 ? null : spread(ours.map((figure, round) => figure / other[round]!)),
        goal: index === 0 ? goal ?? null : null
      }]
    }),
    complete,
    fault
  }))
}

/** The figures of work: how many events a second, and what one takes of the CPU. */
export function rates (goals: { rate?: Goal, cpu?: Goal } = {}): Record<string, FigureSpec> {
  return {
    rate: { unit: '/s', ...goals.rate && { goal: goals.rate } },
    'CPU/event': { unit: 'µs', ...goals.cpu && { goal: goals.cpu } }
  }
}

export function rated ({ events, ms, cpuUs, fault }: Work): Round {
  return { figures: { rate: events / ms * 1_000, 'CPU/event': cpuUs / events }, fault }
}

function firstFault (turns: Array<Record<string, Round>>): string | null {
  for (const turn of turns) {
    for (const [side, { fault }] of Object.entries(turn)) if (fault !== null) return `${side}: ${fault}`
  }
  return null
}
