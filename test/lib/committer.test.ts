import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'tap'
import type { PendingEvent, StoredEvent } from '../../lib/protocol/event.ts'
import type { RunEnding } from '../../lib/protocol/run-state.ts'
import { Committer, type Rejection, RunLog } from '../../lib/runs/committer.ts'
import type { AppendGroup, AppendOutcome, Store } from '../../lib/store/store.ts'
import { latch } from '../helpers/latch.ts'
import { quietLogger } from '../helpers/memory-log.ts'

const ENDING: RunEnding = { exitCode: 0, aborted: false, reason: 'finished' }

function pending (name: string, size = 0): PendingEvent {
  return { kind: 'custom', transient: false, timestamp: '', fields: JSON.stringify({ name, filler: 'x'.repeat(size) }) }
}

/** Groups as `run:seq,seq`, with `!` for the one that ends its run. */
function show (groups: AppendGroup[]): string {
  return groups.map(({ runId, events, ending }) => `${runId}:${events.map(({ seq }) => seq).join()}${ending === null ? '' : '!'}`).join(' ')
}

/** A committer on a store of which only `append` exists, and all that it does, in order. */
function build (append: (groups: AppendGroup[]) => Promise<AppendOutcome[]> | AppendOutcome[]) {
  const steps: string[] = []
  const published: StoredEvent[] = []
  const rejections: Record<string, Rejection[]> = {}
  const store: Pick<Store, 'append'> = {
    async append (groups) {
      steps.push(`append ${show(groups)}`)
      return (await append(groups)).map((outcome) => ({ outcome, promotion: null }))
    }
  }
  const publish = (sessionId: string, events: StoredEvent[]): void => {
    steps.push(`publish ${sessionId}:${events.map(({ seq }) => seq).join()}`)
    published.push(...events)
  }
  const committer = new Committer({ store: store as Store, publish, promoted: () => {}, promotes: () => true, patienceMs: 30_000, log: quietLogger })
  const open = (name: string, lastSeq: number): RunLog => {
    rejections[name] = []
    return committer.open({ sessionId: `s-${name}`, runId: name, provider: 'p' }, lastSeq, (rejection) => { rejections[name]!.push(rejection) })
  }
  return { steps, published, rejections, open }
}

const ok = (groups: AppendGroup[]): AppendOutcome[] => groups.map(() => 'ok')

test('what all runs append in one turn is one batch, numbered from each run\'s last seq and published after the commit', async (t) => {
  const { steps, published, open } = build(ok)
  const [a, b] = [open('a', 1), open('b', 7)]
  a.append(pending('a1'))
  b.append(pending('b1'))
  a.append(pending('a2'))
  t.strictSame(steps, [], 'the turn is not over')
  await Promise.all([a.settled(), b.settled()])
  t.strictSame(steps, ['append a:2,3 b:8', 'publish s-a:2,3', 'publish s-b:8'])
  t.strictSame(published.map(({ json }) => { const { name, seq } = JSON.parse(json) as Record<string, unknown>; return [name, seq] }), [['a1', 2], ['a2', 3], ['b1', 8]])
  t.equal(a.newest, published[1])
  a.append(pending('a3'))
  await a.settled()
  t.strictSame(steps.slice(3), ['append a:4', 'publish s-a:4'])
  t.end()
})

test('nothing is published or settled before the store has answered; what comes meanwhile gathers for one next batch', async (t) => {
  const asked = [latch(), latch()]
  const answers = [latch(), latch()]
  let calls = 0
  const { steps, open } = build(async (groups) => {
    const call = calls++
    asked[call]!.open()
    await answers[call]!.promise
    return ok(groups)
  })
  const [a, b] = [open('a', 0), open('b', 0)]
  a.append(pending('a1'))
  const settled = a.settled().then(() => { steps.push('settled') })
  await asked[0]!.promise
  a.append(pending('a2'))
  b.append(pending('b1'))
  b.end(pending('b2'), ENDING)
  await nextTurn()
  await nextTurn()
  t.strictSame(steps, ['append a:1'], 'one batch is in flight at a time, however many turns it takes')
  answers[0]!.open()
  await asked[1]!.promise
  await settled
  t.strictSame(steps, ['append a:1', 'publish s-a:1', 'settled', 'append b:1,2! a:2'], 'the run\'s end is one write with its completion')
  answers[1]!.open()
  await b.settled()
  t.strictSame(steps.slice(4), ['publish s-b:1,2', 'publish s-a:2'])
  t.end()
})

test('a terminal event that is appended while a batch is in flight completes its run in its own group only', async (t) => {
  const asked = latch()
  const answer = latch()
  const { steps, open } = build(async (groups) => {
    asked.open()
    await answer.promise
    return ok(groups)
  })
  const a = open('a', 0)
  a.append(pending('a1'))
  await asked.promise
  a.end(pending('end'), ENDING)
  answer.open()
  await a.settled()
  t.strictSame(steps, ['append a:1', 'publish s-a:1', 'append a:2!', 'publish s-a:2'])
  t.end()
})

test('a run whose events the store does not take any more is told once, and costs the others nothing', async (t) => {
  for (const outcome of ['stale', 'conflict'] as const) {
    const { steps, rejections, open } = build((groups) => groups.map(({ runId }) => runId === 'a' ? outcome : 'ok'))
    const [a, b] = [open('a', 0), open('b', 0)]
    a.append(pending('a1'))
    b.append(pending('b1'))
    await Promise.all([a.settled(), b.settled()])
    t.strictSame(rejections, { a: [outcome], b: [] })
    t.equal(a.rejection, outcome)
    a.append(pending('a2'))
    a.end(pending('end'), ENDING)
    b.append(pending('b2'))
    await Promise.all([a.settled(), b.settled()])
    t.strictSame(steps, ['append a:1 b:1', 'publish s-b:1', 'append b:2', 'publish s-b:2'])
    t.strictSame(rejections, { a: [outcome], b: [] }, 'once')
    t.strictSame([a.newest, b.newest?.seq], [null, 2])
  }
  t.end()
})

test('what a run appended while it was being rejected is dropped with it', async (t) => {
  const asked = latch()
  const answer = latch()
  const { steps, rejections, open } = build(async () => {
    asked.open()
    await answer.promise
    return ['stale']
  })
  const a = open('a', 0)
  a.append(pending('a1'))
  await asked.promise
  a.append(pending('a2'))
  answer.open()
  await a.settled()
  t.strictSame([steps, rejections, a.full], [['append a:1'], { a: ['stale'] }, false])
  t.end()
})

test('a batch that the store cannot take is halved until the culprit stands alone', async (t) => {
  const { steps, rejections, published, open } = build((groups) => {
    if (groups.some(({ runId }) => runId === 'c')) throw new Error('string or blob too big')
    return ok(groups)
  })
  const logs = ['a', 'b', 'c', 'd', 'e'].map((name) => open(name, 0))
  for (const log of logs) log.append(pending('x'))
  await Promise.all(logs.map((log) => log.settled()))
  t.strictSame(steps, [
    'append a:1 b:1 c:1 d:1 e:1', 'append a:1 b:1', 'publish s-a:1', 'publish s-b:1', 'append c:1 d:1 e:1', 'append c:1', 'append d:1 e:1',
    'publish s-d:1', 'publish s-e:1'
  ])
  t.strictSame(rejections, { a: [], b: [], c: ['refused'], d: [], e: [] })
  t.equal(published.length, 4)
  t.end()
})

test('a run may only have so many events and bytes uncommitted, those on their way included', async (t) => {
  const asked = latch()
  const answer = latch()
  const { open } = build(async (groups) => {
    asked.open()
    await answer.promise
    return ok(groups)
  })
  const [many, large] = [open('many', 0), open('large', 0)]
  for (let index = 0; index < 511; index++) many.append(pending('x'))
  t.equal(many.full, false)
  many.append(pending('x'))
  t.equal(many.full, true)
  large.append(pending('x', 500 * 1024))
  t.equal(large.full, false)
  large.append(pending('x', 12 * 1024))
  t.equal(large.full, true)
  await asked.promise
  t.strictSame([many.full, large.full], [false, true], 'bytes in flight are held in memory too')
  answer.open()
  await Promise.all([many.settled(), large.settled()])
  t.strictSame([many.full, large.full], [false, false])
  t.end()
})

test('one transaction takes only so many bytes; the rest waits a turn', async (t) => {
  const { steps, open } = build(ok)
  const names = Array.from({ length: 12 }, (_, index) => `r${index}`)
  const logs = names.map((name) => open(name, 0))
  for (const log of logs) log.append(pending('x', 512 * 1024))
  await Promise.all(logs.map((log) => log.settled()))
  const batches = steps.filter((step) => step.startsWith('append')).map((step) => step.split(' ').length - 1)
  t.strictSame(batches, [8, 4])
  t.strictSame(steps.filter((step) => step.startsWith('publish')), names.map((name) => `publish s-${name}:1`))
  t.end()
})

test('a log with nothing to commit is settled, and gives the committer nothing', async (t) => {
  const log = new RunLog({ sessionId: 's', runId: 'r', provider: 'p' }, 4, () => {}, () => {})
  await log.settled()
  t.strictSame([log.take(true), log.full, log.rejection, log.newest], [null, false, null, null])
  t.end()
})

test('a batch that hangs holds up its own runs only, each with one group in flight', async (t) => {
  const hanging = latch()
  const { steps, open } = build(async (groups) => {
    if (groups.some(({ runId }) => runId === 'a')) await hanging.promise
    return ok(groups)
  })
  const [a, b, c] = [open('a', 0), open('b', 0), open('c', 0)]
  a.append(pending('a1'))
  b.append(pending('b1'))
  await nextTurn()
  a.append(pending('a2'))
  c.append(pending('c1'))
  await c.settled()
  c.append(pending('c2'))
  await c.settled()
  t.strictSame(steps, ['append a:1 b:1', 'append c:1', 'publish s-c:1', 'append c:2', 'publish s-c:2'])
  hanging.open()
  await Promise.all([a.settled(), b.settled()])
  t.strictSame(steps.slice(5), ['publish s-a:1', 'publish s-b:1', 'append a:2', 'publish s-a:2'])
})

test('a log that is fenced takes no more events, and its waiters go on; one whose terminal is committed stays as it is', async (t) => {
  const hanging = latch()
  const { steps, rejections, open } = build(async (groups) => {
    if (groups.some(({ runId }) => runId === 'a')) await hanging.promise
    return ok(groups)
  })
  const [a, b] = [open('a', 0), open('b', 0)]
  a.append(pending('a1'))
  await nextTurn()
  a.fence()
  await a.settled()
  a.append(pending('a2'))
  b.end(pending('end'), ENDING)
  await b.settled()
  b.fence()
  hanging.open()
  await nextTurn()
  t.strictSame(rejections, { a: ['stale'], b: [] })
  t.strictSame([a.rejection, b.rejection], ['stale', null])
  t.strictSame(steps.filter((step) => step.startsWith('append')), ['append a:1', 'append b:1!'], 'nothing is asked for the fenced run')
})
