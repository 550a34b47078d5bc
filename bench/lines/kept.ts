/* What it takes to keep chats: bytes of the database by one byte of text. */
import { join } from 'node:path'
import { Child } from '../child.ts'
import { compare, type Report, type Settings } from '../measure/comparison.ts'
import { type FigureSpec, value } from '../measure/figure.ts'
import type { Chats } from '../processes/chats.ts'
import { inScratch } from '../scratch.ts'

interface Answers {
  sessions: number
  turns: number
  characters: number
}

const FULL: Answers[] = [
  { sessions: 20, turns: 20, characters: 4_000 },
  { sessions: 20, turns: 10, characters: 16_000 }
]
const QUICK: Answers[] = [{ sessions: 4, turns: 2, characters: 4_000 }]

const FIGURES: Record<string, FigureSpec> = {
  running: { unit: 'x' },
  ended: { unit: 'x' },
  compacted: { unit: 'x', goal: value('<=', 2) }
}

export async function kept ({ quick }: Settings, report: Report): Promise<void> {
  for (const { sessions, turns, characters } of quick ? QUICK : FULL) {
    const lines = await inScratch((directory) => compare({
      bench: 'kept',
      what: `${sessions} chats of ${turns} answers of ${characters / 1_000} kB, by their text`,
      // It is always the same.
      rounds: 1,
      warmUp: false,
      figures: FIGURES,
      complete: `all of ${(2 * sessions * turns).toLocaleString('en')} messages`,
      sides: {
        ours: async () => {
          const child = Child.start<Chats>('chats')
          try {
            const { running, ended, compacted, fault } = await child.ask('keep', join(directory, 'runs.db'), sessions, turns, characters)
            return { figures: { running, ended, compacted }, fault }
          } finally {
            await child.stop()
          }
        }
      }
    }))
    lines.forEach(report)
  }
}
