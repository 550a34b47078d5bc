/* A transport of somebody else's may throw anywhere: that is its own stream's end, and nobody else's trouble. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'tap'
import { sqliteStore } from '../../db/sqlite/store.ts'
import type { Frame } from '../../lib/protocol/frames.ts'
import type { Sink } from '../../lib/streams/sink.ts'
import { LIMITS } from '../helpers/limits.ts'
import { openRegistry } from '../helpers/open-registry.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

type Told = Array<string | number>

/** A sink that throws in one of its methods from the moment at which it is told to. */
function build (breaks: keyof Sink<unknown> | null): { sink: Sink<number[]>, told: Told, broken: { now: boolean } } {
  const told: Told = []
  const broken = { now: false }
  const use = (name: string): void => {
    if (name === breaks && broken.now) throw new Error(`${name} is broken`)
  }
  const sink: Sink<number[]> = {
    format: { encode: (events) => { use('format'); return events.map(({ seq }) => seq) } },
    ready: () => { use('ready'); return true },
    paused: () => use('paused'),
    events: (seqs) => { use('events'); told.push(...seqs); return true },
    frame: (frame: Frame) => { use('frame'); told.push(frame.kind) },
    end: () => { told.push('end'); use('end') }
  }
  return { sink, told, broken }
}

for (const breaks of ['format', 'ready', 'paused', 'events', 'frame', 'end'] as const) {
  for (const when of ['at once', 'in the middle'] as const) {
    test(`a sink whose ${breaks} throws ${when} ends, and gives back its place; others get everything, and the session can be deleted`, async (t) => {
      const agent = scriptedProvider()
      const registry = await openRegistry(t, agent, sqliteStore({ path: ':memory:' }), { limits: { ...LIMITS, subscribersPerSession: 2 } })
      await registry.startRun({ sessionId: 's', content: 'go' })
      const run = await agent.next()
      const [bad, good] = [build(breaks), build(null)]
      bad.broken.now = when === 'at once'
      const open = () => registry.openSubscription({ sessionId: 's', owner: null, after: 0, until: null })
      for (const { sink } of [bad, good]) (await open()).start(sink)
      const follows = async (seq: number): Promise<void> => { while (!good.told.includes(seq)) await nextTurn() }
      await run.emit({ kind: 'custom', name: 'one' })
      await follows(2)
      bad.broken.now = true
      await run.emit({ kind: 'custom', name: 'two' })
      await follows(3)
      await registry.deleteSession('s')
      t.strictSame(good.told, ['chat_subscribed', 1, 2, 3, 'session_deleted', 'end'])
      t.equal(bad.told.filter((told) => told === 'end').length, 1, bad.told.join())
      // Each had one of the two places.
      await registry.createSession({ id: 'next' })
      const more = await Promise.all([0, 1].map(() => registry.openSubscription({ sessionId: 'next', owner: null, after: 0, until: null })))
      t.equal(more.length, 2)
      for (const each of more) each.cancel()
    })
  }
}
