/* Whether a database that has grown is slower than a small one. */
import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Child } from '../child.ts'
import { compare, type Report, type Round, type Settings } from '../measure/comparison.ts'
import { type FigureSpec, ratio } from '../measure/figure.ts'
import type { GrowingStore } from '../processes/growing-store.ts'
import { inScratch } from '../scratch.ts'

/** Sizes in events; those up to what is asked for are measured. */
const SIZES = [100_000, 1_000_000, 2_000_000, 5_000_000]
const SMALLEST = 10_000
const QUICK_SIZE = 20_000
/** Events of one step of the growth, in which one run is long. */
const WAVE = 10_000

const FIGURES: Record<string, FigureSpec> = {
  append: { unit: '/s', goal: ratio('>=', 0.67) },
  replay: { unit: '/s', goal: ratio('>=', 0.77) },
  'bytes/event': { unit: 'B' }
}

export async function growth ({ quick, events }: Settings, report: Report): Promise<void> {
  const sizes = quick ? [QUICK_SIZE] : SIZES.filter((size) => size <= events)
  const { rounds, commits, times } = quick ? { rounds: 1, commits: 10, times: 1 } : { rounds: 5, commits: 200, times: 10 }
  const child = Child.start<GrowingStore>('growing-store')
  try {
    await inScratch(async (directory) => {
      const grown = (size: number): string => join(directory, `grown-${size}.db`)
      const growing = join(directory, 'growing.db')
      await child.ask('grow', growing, grown(SMALLEST), 0, SMALLEST)
      let from = SMALLEST
      for (const size of sizes) {
        await child.ask('grow', growing, grown(size), from / WAVE, size)
        from = size
        // Each round works on a copy: no file grows by being measured.
        const side = (size: number) => async (): Promise<Round> => {
          const path = join(directory, 'copy.db')
          copyFileSync(grown(size), path)
          const replayed = await child.ask('replay', path, Math.floor(size / WAVE / 2), times)
          const appended = await child.ask('append', path, commits)
          const bytes = await child.ask('bytes', grown(size))
          for (const end of ['', '-wal', '-shm']) rmSync(path + end, { force: true })
          return {
            figures: { append: appended.events / appended.ms * 1_000, replay: replayed.events / replayed.ms * 1_000, 'bytes/event': bytes / size },
            fault: replayed.fault ?? appended.fault
          }
        }
        const lines = await compare({
          bench: 'growth',
          what: `the store alone, with ${size.toLocaleString('en')} events`,
          rounds,
          figures: FIGURES,
          complete: `all of ${(5_000 * times).toLocaleString('en')} read`,
          sides: { ours: side(size), [`${SMALLEST.toLocaleString('en')} events`]: side(SMALLEST) }
        })
        lines.forEach(report)
        rmSync(grown(size))
      }
    })
  } finally {
    await child.stop()
  }
}
