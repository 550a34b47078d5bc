/* How much memory a process holds at most, while somebody watches. */

const LOOK_MS = 20

let peak = 0
let timer: NodeJS.Timeout | undefined

/** Begins to look anew; answers what is resident now, in bytes. */
export function watchMemory (): number {
  clearInterval(timer)
  peak = process.memoryUsage.rss()
  timer = setInterval(look, LOOK_MS).unref()
  return peak
}

/** The most that was resident since, in bytes; stops to look. */
export function peakMemory (): number {
  look()
  clearInterval(timer)
  return peak
}

function look (): void {
  peak = Math.max(peak, process.memoryUsage.rss())
}
