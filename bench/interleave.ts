/* Rounds of two sides in turns, so that whatever else the machine does meets both alike. */

/** One round of each side. */
export interface Pair<Result> {
  ours: Result
  bare: Result
}

/**
 * Runs `rounds` rounds of each side in turns, after one of each that does not count: the first use of code is slow. Who
 * goes first alternates.
 */
export async function interleave<Result> (rounds: number, ours: () => Promise<Result>, bare: () => Promise<Result>): Promise<{ warmUp: Pair<Result>, pairs: Array<Pair<Result>> }> {
  const warmUp = { ours: await ours(), bare: await bare() }
  const pairs: Array<Pair<Result>> = []
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 0) {
      pairs.push({ ours: await ours(), bare: await bare() })
    } else {
      const second = await bare()
      pairs.push({ ours: await ours(), bare: second })
    }
  }
  return { warmUp, pairs }
}

/** The middle one of some figures; of an even number, the mean of the two in the middle. */
export function median (figures: number[]): number {
  const sorted = figures.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
