/* Rounds of several sides in turns, so that whatever else the machine does meets all alike. */

/** One round of each side, by its name. */
export type Turn<Result> = Record<string, Result>

/**
 * Runs `rounds` rounds of each side in turns, after one of each that does not count, unless `warmUp` is false: the first
 * use of code is slow. Each turn another side goes first.
 */
export async function interleave<Result> (rounds: number, sides: Record<string, () => Promise<Result>>, { warmUp = true }: { warmUp?: boolean } = {}): Promise<{ warmUp: Turn<Result> | null, turns: Array<Turn<Result>> }> {
  const names = Object.keys(sides)
  const turn = async (first: number): Promise<Turn<Result>> => {
    const results: Turn<Result> = {}
    for (let index = 0; index < names.length; index++) {
      const name = names[(first + index) % names.length]!
      results[name] = await sides[name]!()
    }
    return results
  }
  const before = warmUp ? await turn(0) : null
  const turns: Array<Turn<Result>> = []
  for (let round = 0; round < rounds; round++) turns.push(await turn(round))
  return { warmUp: before, turns }
}

/** The middle one of some figures; of an even number, the mean of the two in the middle. */
export function median (figures: number[]): number {
  const sorted = figures.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
