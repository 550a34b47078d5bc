/* What an idle subscriber takes of the heap. */
import { compare, type Report, type Round, type Settings } from '../measure/comparison.ts'
import { ratio } from '../measure/figure.ts'
import { Audience } from '../readers/audience.ts'
import { withServers } from '../servers.ts'

const STREAMS = 9_000
/** File descriptors that each process needs for everything else. */
const RESERVED_FILES = 200
/** What the first streams leave behind for all that follow is not theirs. */
const WARM_UP_STREAMS = 100

/** What everybody follows who does not follow a session of their own. */
const SESSION = 'session'
/** Each of its subscribers has caught up with so many events before it is idle. */
const EVENTS = 100

export async function heap ({ quick }: Settings, report: Report): Promise<void> {
  const wanted = quick ? 200 : STREAMS
  const streams = Math.min(wanted, openFilesLimit() - RESERVED_FILES)
  const scaledDown = streams < wanted ? ` (of ${wanted}: ulimit -n)` : ''
  await withServers(async ({ ours, bare }) => {
    const sessions = Array.from({ length: streams }, (_, index) => `session-${index}`)
    await ours.child.ask('createSessions', sessions)
    await ours.child.ask('startRun', SESSION, 'paced', { events: EVENTS - 2, eventsPerTurn: 1, deltas: false })
    for (const alone of [false, true]) {
      const paths = sessions.map((session) => `/sessions/${alone ? session : SESSION}/stream`)
      const lines = await compare({
        bench: 'heap',
        what: `${streams.toLocaleString('en')} streams${scaledDown} of ${alone ? 'an empty session each' : `one session with ${EVENTS} events`}`,
        rounds: quick ? 1 : 3,
        figures: { 'a stream': { unit: 'kB', goal: ratio('<=', alone ? 1.15 : 1.1) } },
        complete: `all of ${streams.toLocaleString('en')} open`,
        sides: {
          ours: () => weigh(ours.port, paths, alone ? 0 : EVENTS, () => ours.child.ask('heapInUse')),
          bare: () => weigh(bare.port, paths.map(() => '/'), 0, () => bare.child.ask('heapInUse'))
        }
      })
      lines.forEach(report)
    }
  })
}

/** What a stream takes of a server's heap while it is open. */
async function weigh (port: number, paths: string[], lastSeq: number, heapInUse: () => Promise<number>): Promise<Round> {
  const first = await Audience.open(port, paths.slice(0, WARM_UP_STREAMS), 0)
  first.close()
  const before = await heapInUse()
  const audience = await Audience.open(port, paths, 0)
  await audience.reached(lastSeq)
  const after = await heapInUse()
  const fault = await audience.fault(lastSeq)
  audience.close()
  return { figures: { 'a stream': (after - before) / paths.length / 1_000 }, fault }
}

function openFilesLimit (): number {
  const { userLimits } = process.report.getReport() as unknown as { userLimits: { open_files: { soft: number | 'unlimited' } } }
  const { soft } = userLimits.open_files
  return soft === 'unlimited' ? Infinity : soft
}
