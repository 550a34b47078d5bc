/* A store that is not available for a while; the pauses between tries are only noted. */
import { test } from 'tap'
import { runsError } from '../../lib/protocol/errors.ts'
import { Committer, type Rejection } from '../../lib/runs/committer.ts'
import type { AppendGroup, Store } from '../../lib/store/store.ts'
import { withDeadlines } from '../../lib/store/deadlines.ts'
import { quietLogger } from '../helpers/memory-log.ts'

async function build (append: (groups: AppendGroup[], call: number) => void, stopped?: AbortSignal, paused: (ms: number) => void = () => {}) {
  const steps: string[] = []
  const pause = async (ms: number): Promise<void> => {
    steps.push(`pause ${ms}`)
    paused(ms)
  }
  const groups: AppendGroup[][] = []
  const rejections: Rejection[] = []
  const store: Pick<Store, 'append'> = {
    async append (batch) {
      groups.push(batch)
      steps.push(`append ${batch.map(({ runId }) => runId).join(' ')}`)
      append(batch, groups.length)
      return batch.map(() => ({ outcome: 'ok', promotion: null }))
    }
  }
  const committer = new Committer({
    store: store as Store, publish: (sessionId) => { steps.push(`publish ${sessionId}`) }, promoted: () => {}, promotes: () => true, patienceMs: 30_000, log: quietLogger, pause, ...stopped && { stopped }
  })
  const logs = ['a', 'b'].map((name) => committer.open({ sessionId: name, runId: name, provider: 'p' }, 0, (rejection) => { rejections.push(rejection) }))
  for (const log of logs) log.append({ kind: 'custom', transient: false, timestamp: '', fields: '{"name":"x"}' })
  await Promise.all(logs.map((log) => log.settled()))
  return { steps, groups, rejections }
}

test('a store that is not available is given the very same batch again, and each event is published once', async (t) => {
  const { steps, groups, rejections } = await build((_, call) => {
    if (call < 4) throw runsError('STORE_UNAVAILABLE')
  })
  t.strictSame(steps, ['append a b', 'pause 50', 'append a b', 'pause 100', 'append a b', 'pause 200', 'append a b', 'publish a', 'publish b'])
  t.strictSame(new Set(groups.flat().map((group) => JSON.stringify(group))).size, 2, 'no event was numbered anew')
  t.strictSame(rejections, [])
  t.end()
})

test('a store that never comes back refuses all runs once the patience is spent', async (t) => {
  const { steps, rejections } = await build(() => { throw runsError('STORE_UNAVAILABLE') })
  const pauses = [50, 100, 200, 500, 1_000, ...Array<number>(14).fill(2_000)]
  t.strictSame(steps, [...pauses.flatMap((ms) => ['append a b', `pause ${ms}`]), 'append a b'])
  t.strictSame(rejections, ['refused', 'refused'], 'nobody is singled out for it')
  t.end()
})

test('a failure after an outage is bisected like any other', async (t) => {
  const { steps, rejections } = await build((groups, call) => {
    if (call === 1) throw runsError('STORE_UNAVAILABLE')
    if (groups.some(({ runId }) => runId === 'a')) throw new Error('too big')
  })
  t.strictSame(steps, ['append a b', 'pause 50', 'append a b', 'append a', 'append b', 'publish b'])
  t.strictSame(rejections, ['refused'])
  t.end()
})

test('once it is stopped nothing is tried again', async (t) => {
  const stop = new AbortController()
  const { steps, rejections } = await build((_, call) => {
    if (call === 2) stop.abort()
    throw runsError('STORE_UNAVAILABLE')
  }, stop.signal)
  t.strictSame(steps, ['append a b', 'pause 50', 'append a b'])
  t.strictSame(rejections, ['refused', 'refused'])
  t.end()
})

test('what is stopped while it pauses tries no more either', async (t) => {
  const stop = new AbortController()
  const { steps, rejections } = await build(() => { throw runsError('STORE_UNAVAILABLE') }, stop.signal, (ms) => { if (ms === 100) stop.abort() })
  t.strictSame(steps, ['append a b', 'pause 50', 'append a b', 'pause 100'])
  t.strictSame(rejections, ['refused', 'refused'])
  t.end()
})

test('a batch that misses its deadline is halved, and the halves are tried at once', async (t) => {
  const missed = await missedDeadlineError()
  const { steps, rejections } = await build((_, call) => {
    if (call === 1) throw missed
  })
  t.strictSame(steps, ['append a b', 'pause 50', 'append a', 'append b', 'publish a', 'publish b'])
  t.strictSame(rejections, [])
})

/** What a store that hangs is made to answer. */
async function missedDeadlineError (): Promise<Error> {
  const timers = globalThis.setTimeout
  globalThis.setTimeout = ((callback: () => void) => timers(callback, 0)) as typeof setTimeout
  try {
    return await withDeadlines({ append: () => new Promise(() => {}) } as unknown as Store).append([]).then(() => { throw new Error('it answered') }, (error: Error) => error)
  } finally {
    globalThis.setTimeout = timers
  }
}
