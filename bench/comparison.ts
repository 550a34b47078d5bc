/* What a bench finds out: ours against the bare minimum that does the same. */
import { interleave, median, type Pair } from './interleave.ts'

/** One round of one side. */
export interface Round {
  events: number
  ms: number
  /** CPU that the process at work took, user and system, in µs. */
  cpuUs: number
  /** What somebody did not get, or got twice or out of order; null if everything is right. */
  fault: string | null
}

/** One line of the table. */
export interface Comparison {
  bench: string
  what: string
  ours: string
  bare: string
  /** Ours by the bare one's, the median of the rounds. */
  ratio: number
  aim: string
  /** Of an event, in µs, and ours by the bare one's, the median of the rounds; null where no events flow. */
  cpu: { ours: number, bare: number, ratio: number } | null
  /** How many events arrived once and in order, each round of each side; or what went wrong. */
  complete: string
  fault: string | null
}

/** Compares how many events a second both sides manage. */
export async function compareRates (bench: string, what: string, aim: string, rounds: number, ours: () => Promise<Round>, bare: () => Promise<Round>): Promise<Comparison> {
  const { warmUp, pairs } = await interleave(rounds, ours, bare)
  const rate = ({ events, ms }: Round): number => events / ms * 1_000
  const cpu = ({ cpuUs, events }: Round): number => cpuUs / events
  return {
    bench,
    what,
    ours: perSecond(median(pairs.map((pair) => rate(pair.ours)))),
    bare: perSecond(median(pairs.map((pair) => rate(pair.bare)))),
    ratio: median(pairs.map((pair) => rate(pair.ours) / rate(pair.bare))),
    aim,
    cpu: {
      ours: median(pairs.map((pair) => cpu(pair.ours))),
      bare: median(pairs.map((pair) => cpu(pair.bare))),
      ratio: median(pairs.map((pair) => cpu(pair.ours) / cpu(pair.bare)))
    },
    complete: `all of ${pairs[0]!.ours.events.toLocaleString('en')}`,
    fault: firstFault([warmUp, ...pairs])
  }
}

/** The first fault of any round, of either side. */
export function firstFault (pairs: Array<Pair<{ fault: string | null }>>): string | null {
  for (const { ours, bare } of pairs) {
    if (ours.fault !== null) return `ours: ${ours.fault}`
    if (bare.fault !== null) return `bare: ${bare.fault}`
  }
  return null
}

function perSecond (rate: number): string {
  return `${Math.round(rate / 1_000)}k/s`
}
