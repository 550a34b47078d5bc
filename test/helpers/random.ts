/* Numbers that only look random: the same seed gives the same ones. */

export interface Random {
  /** A whole number from 0 to `end` - 1. */
  below: (end: number) => number
  /** True with this probability. */
  chance: (probability: number) => boolean
  /** One of `choices`. */
  pick: <T>(choices: readonly T[]) => T
}

/** mulberry32. */
export function random (seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6D2B79F5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (end: number): number => Math.floor(next() * end)
  return { below, chance: (probability) => next() < probability, pick: (choices) => choices[below(choices.length)]! }
}
