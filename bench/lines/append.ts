/* How fast many runs become durable. */
import { join } from 'node:path'
import { Child } from '../child.ts'
import { type Report, compare, rated, rates, type Settings } from '../measure/comparison.ts'
import { ratio } from '../measure/figure.ts'
import { presentPeers } from '../peers/packages.ts'
import type { BareAppend } from '../processes/bare-append.ts'
import type { PeerAppend } from '../processes/peer-append.ts'
import type { AppendWork, RunsAppend } from '../processes/runs-append.ts'
import { inScratch } from '../scratch.ts'

/** It waits for the disk so often that few of them tell its rate. */
const PEER_COMMITS = 20

export async function append ({ quick }: Settings, report: Report): Promise<void> {
  const { rounds, runs, events } = quick ? { rounds: 1, runs: 10, events: 50 } : { rounds: 7, runs: 100, events: 500 }
  const ours = Child.start<RunsAppend>('runs-append')
  const bare = Child.start<BareAppend>('bare-append')
  const peers = presentPeers(['@durable-streams/server'], 'append', report)
  const peer = peers.length === 0 ? null : Child.start<PeerAppend>('peer-append')
  let files = 0
  try {
    for (const eventsPerTurn of [1, 5]) {
      await inScratch(async (directory) => {
        const file = (): string => join(directory, `${files++}.db`)
        // The bare side writes what ours wrote last.
        let source = ''
        let last: AppendWork | null = null
        const lines = await compare({
          bench: 'append',
          what: `${runs} runs at once, ${eventsPerTurn} event${eventsPerTurn === 1 ? '' : 's'} of each a commit`,
          rounds,
          figures: rates({ rate: ratio('>=', 0.85, 1.5) }),
          complete: `all of ${(runs * (events + 2)).toLocaleString('en')}`,
          sides: {
            ours: async () => {
              source = file()
              last = await ours.ask('append', file(), source, runs, { events, eventsPerTurn, deltas: true })
              return rated(last)
            },
            bare: async () => rated(await bare.ask('append', source, file(), last!.transactions)),
            ...Object.fromEntries(peers.map((name) => [name, async () => rated(await peer!.ask('append', source, `${file()}-streams`, last!.transactions, PEER_COMMITS))]))
          }
        })
        lines.forEach(report)
      })
    }
  } finally {
    await Promise.all([ours.stop(), bare.stop(), peer?.stop()])
  }
}
