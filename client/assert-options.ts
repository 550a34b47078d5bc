/* What cannot be is refused before anything is asked: a wait that is no number would be none. */
import type { ConnectionOptions } from './options.ts'

/** The longest time that a timer can take, in ms. */
const LONGEST_MS = 2 ** 31 - 1
/** Engines have no strings that are much longer. */
const MOST_BYTES = 2 ** 28

/** Throws TypeError at a number that makes no sense. */
export function assertOptions ({ retry = {}, idleTimeoutMs, maxResponseBytes }: ConnectionOptions): void {
  assertBetween('retry.minMs', retry.minMs, 0, LONGEST_MS)
  assertBetween('retry.maxMs', retry.maxMs, 0, LONGEST_MS)
  assertBetween('retry.attempts', retry.attempts, 0, Infinity)
  assertBetween('idleTimeoutMs', idleTimeoutMs, 1, LONGEST_MS)
  assertBetween('maxResponseBytes', maxResponseBytes, 1, MOST_BYTES)
}

function assertBetween (name: string, value: number | undefined, least: number, most: number): void {
  if (value !== undefined && !(typeof value === 'number' && value >= least && value <= most)) throw new TypeError(`"${name}" must be a number from ${least} to ${most}, not ${String(value)}.`)
}
