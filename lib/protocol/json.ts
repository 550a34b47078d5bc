/* JSON that is safe to keep and to pass on: how deep it may be does not depend on who reads it. */

/** Levels of arrays and objects in one another. SQLite reads 1,000, engines differ, and clients in other languages read fewer. */
export const MAX_DEPTH = 256

const QUOTE = '"'
const BACKSLASH = 92

/** `value` as JSON. Throws what `JSON.stringify` throws, and a RangeError for what is nested deeper than MAX_DEPTH. */
export function toJson (value: unknown): string {
  const json = JSON.stringify(value)
  // Each level has an opening and a closing bracket.
  if (json !== undefined && json.length > 2 * MAX_DEPTH && exceeds(json, { values: Infinity, depth: MAX_DEPTH })) {
    throw new RangeError(`The value is nested deeper than ${MAX_DEPTH} levels.`)
  }
  return json
}

/** Whether JSON has more values, as many as it has commas and opening brackets, or is nested deeper. Looks no further than it has to. */
export function exceeds (json: string, most: { values: number, depth: number }): boolean {
  let values = 1
  let depth = 0
  for (let at = 0; at < json.length; at++) {
    const character = json[at]
    if (character === QUOTE) at = endOfString(json, at)
    else if (character === ',') values++
    else if (character === '[' || character === '{') { values++; depth++ } else if (character === ']' || character === '}') depth--
    if (values > most.values || depth > most.depth) return true
  }
  return false
}

function endOfString (json: string, start: number): number {
  for (let end = json.indexOf(QUOTE, start + 1); end !== -1; end = json.indexOf(QUOTE, end + 1)) {
    let escapes = 0
    while (json.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes++
    if (escapes % 2 === 0) return end
  }
  return json.length
}
