/* When a text was made, inside the text: one clock runs for all processes of a machine. */

/** What a content with a stamp begins with, as JSON. */
export const STAMP_MARK = Buffer.from('"@')
const ZERO = 48
const NINE = 57

/** The time now, to begin a content with. */
export function stamp (): string {
  return `@${micros()} `
}

/** How long ago the stamp was made whose digits begin at `at`, in µs. */
export function stampAge (bytes: Buffer, at: number): number {
  let made = 0
  for (let index = at; bytes[index]! >= ZERO && bytes[index]! <= NINE; index++) made = made * 10 + bytes[index]! - ZERO
  return micros() - made
}

/** µs since the machine started: the same clock in all of its processes. */
function micros (): number {
  const [seconds, nanos] = process.hrtime()
  return seconds * 1_000_000 + Math.trunc(nanos / 1_000)
}
