/* What an idle subscriber takes of the heap. */
import { type Comparison, firstFault } from './comparison.ts'
import { interleave, median } from './interleave.ts'
import { Audience } from './readers/audience.ts'
import { withServers } from './servers.ts'

const STREAMS = 9_000
/** File descriptors that each process needs for everything else. */
const RESERVED_FILES = 200
/** What the first streams leave behind for all that follow is not theirs. */
const WARM_UP_STREAMS = 100

/** What everybody follows who does not follow a session of their own. */
const SESSION = 'session'
/** Each of its subscribers has caught up with so many events before it is idle. */
const EVENTS = 100

interface Weight {
  bytes: number
  fault: string | null
}

export async function heap (quick: boolean, report: (comparison: Comparison) => void): Promise<void> {
  const wanted = quick ? 200 : STREAMS
  const streams = Math.min(wanted, openFilesLimit() - RESERVED_FILES)
  const scaledDown = streams < wanted ? ` (of ${wanted}: ulimit -n)` : ''
  await withServers(async ({ ours, bare }) => {
    const sessions = Array.from({ length: streams }, (_, index) => `session-${index}`)
    await ours.child.ask('createSessions', sessions)
    await ours.child.ask('startRun', SESSION, { events: EVENTS - 2, eventsPerTurn: 1, deltas: false })
    for (const alone of [false, true]) {
      const paths = sessions.map((session) => `/sessions/${alone ? session : SESSION}/stream`)
      const { warmUp, pairs } = await interleave(quick ? 1 : 3,
        () => weigh(ours.port, paths, alone ? 0 : EVENTS, () => ours.child.ask('heapInUse')),
        () => weigh(bare.port, paths.map(() => '/'), 0, () => bare.child.ask('heapInUse')))
      report({
        bench: 'heap',
        what: `${streams.toLocaleString('en')} streams${scaledDown} of ${alone ? 'an empty session each' : `one session with ${EVENTS} events`}`,
        ours: kilobytes(median(pairs.map((pair) => pair.ours.bytes))),
        bare: kilobytes(median(pairs.map((pair) => pair.bare.bytes))),
        ratio: median(pairs.map((pair) => pair.ours.bytes / pair.bare.bytes)),
        aim: '<= 1.2x',
        cpu: null,
        complete: `all of ${streams.toLocaleString('en')} open`,
        fault: firstFault([warmUp, ...pairs])
      })
    }
  })
}

/** What a stream takes of a server's heap while it is open. */
async function weigh (port: number, paths: string[], lastSeq: number, heapInUse: () => Promise<number>): Promise<Weight> {
  const first = await Audience.open(port, paths.slice(0, WARM_UP_STREAMS), 0)
  first.close()
  const before = await heapInUse()
  const audience = await Audience.open(port, paths, 0)
  await audience.reached(lastSeq)
  const after = await heapInUse()
  const fault = await audience.fault(lastSeq)
  audience.close()
  return { bytes: (after - before) / paths.length, fault }
}

function openFilesLimit (): number {
  const { userLimits } = process.report.getReport() as unknown as { userLimits: { open_files: { soft: number | 'unlimited' } } }
  const { soft } = userLimits.open_files
  return soft === 'unlimited' ? Infinity : soft
}

function kilobytes (bytes: number): string {
  return `${(bytes / 1_000).toFixed(2)} kB`
}
