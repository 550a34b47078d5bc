/* What the page remembers from one visit to the next. Where a page may keep nothing, it is each time as it was at first. */

/** What was remembered, if it is one of `known`; else null. */
export function recall (key, known) {
  try {
    const value = window.localStorage.getItem(key)
    return known.includes(value) ? value : null
  } catch {
    return null
  }
}

export function remember (key, value) {
  try {
    window.localStorage.setItem(key, value)
  } catch {}
}
