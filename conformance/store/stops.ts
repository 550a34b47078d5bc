/* A stop that names its message holds, whichever of the two comes first, and on whichever instance. */
import assert from 'node:assert/strict'
import { MAX_STOPS } from '../../lib/protocol/limits.ts'
import type { NewRun } from '../../lib/store/store.ts'
import type { StoreTest } from './bench.ts'
import { accept, assertStandstill, claimedOf, drive, inShort, logOf, newRun, newSession, OWNER, rejects, sessionOf, STRANGER, upTo } from './driven-run.ts'

const NAMED: Partial<NewRun> = { names: [{ name: 'key', hash: 'h' }, { name: 'id', hash: 'i' }] }

export function stops (test: StoreTest): void {
  test('a message that was stopped before it came enters an idle session with its end, and nothing runs', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    for (const [index, name] of ['key', 'id'].entries()) {
      const sessionId = `s${index}`
      // Before the session exists.
      assert.equal(await other.stopMessage(sessionId, OWNER, name), null)
      const { run, promotion } = await accept(one, `r${index}`, { ...NAMED, sessionId, admit: index === 0 ? 'run' : 'queue', onBusy: 'reject' })
      assert.deepEqual([run.status, run.reason, run.aborted, promotion.claimed], ['completed', 'aborted', true, null])
      assert.deepEqual(promotion.events, (await logOf(other, sessionId)).events)
      assert.deepEqual(inShort(promotion.events), [`r${index} text do r${index}`, `r${index} complete aborted`])
      assert.equal((await accept(other, 'again', { ...NAMED, sessionId })).run.runId, `r${index}`, 'its repeat is it')
      assert.equal((await other.stopMessage(sessionId, OWNER, name))?.status, 'completed')
    }
    await drive(one, 'next', { sessionId: 's0' })
  })

  test('in a busy session it waits as a cancelled run, and interrupts nothing; if it is refused it stays stopped', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    await other.stopMessage('s', OWNER, 'id')
    assert.equal((await one.startRun(newRun('refused', { ...NAMED, onBusy: 'reject' }))).outcome, 'busy')
    const { run: waiting, promotion } = await accept(one, 'urgent', { ...NAMED, onBusy: 'interrupt' })
    assert.deepEqual([waiting.status, waiting.aborted], ['queued', true])
    assertStandstill(promotion)
    await accept(one, 'next')
    assert.deepEqual((await sessionOf(one)).queue, ['urgent', 'next'])
    const ended = await run.end()
    claimedOf(ended, 'next')
    assert.deepEqual(inShort(ended!.events), ['urgent text do urgent', 'urgent complete aborted', 'next text do next'])
  })

  test('a stop of a message that has come tells its run, and changes nothing', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    await drive(one, 'r', NAMED)
    await accept(one, 'waiting', { names: [{ name: 'second', hash: null }] })
    for (const owner of [OWNER, null]) {
      assert.deepEqual(await other.stopMessage('s', owner, 'id'), await one.getRun('r', OWNER))
      assert.deepEqual(await other.stopMessage('s', owner, 'second'), await one.getRun('waiting', OWNER))
    }
    assert.deepEqual([(await sessionOf(one)).runId, (await sessionOf(one)).queue], ['r', ['waiting']])
  })

  test('a stop is its owner\'s, and its session\'s', async (bench) => {
    const store = await bench.open()
    await store.createSession(newSession('s'))
    assert.equal(await store.stopMessage('s', STRANGER, 'id'), null, 'a session of others is like one that does not exist')
    assert.equal(await store.stopMessage('elsewhere', OWNER, 'id'), null)
    await drive(store, 'r', NAMED)
    await store.deleteSession('s', OWNER)
    await rejects('SESSION_DELETED', store.stopMessage('s', OWNER, 'id'))
  })

  test('only so many stops of an owner wait', async (bench) => {
    const store = await bench.open()
    for (const n of upTo(MAX_STOPS)) assert.equal(await store.stopMessage('s', OWNER, `m${n}`), null)
    await rejects('TOO_MANY_STOPS', store.stopMessage('s', OWNER, 'more'))
    assert.equal(await store.stopMessage('s', OWNER, 'm1'), null, 'one that waits may be repeated')
    assert.equal(await store.stopMessage('s', STRANGER, 'more'), null)
    assert.equal((await accept(store, 'r', { names: [{ name: 'm1', hash: null }] })).run.aborted, true)
    assert.equal(await store.stopMessage('s', OWNER, 'more'), null, 'one that was used up has made room')
  })

  test('a stop and its message at once, on two instances: the message does not run, or its stop is told its run', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    for (const n of upTo(20)) {
      const sessionId = `at-once-${n}`
      const [{ run }, stopped] = await Promise.all([accept(one, `r${n}`, { ...NAMED, sessionId }), other.stopMessage(sessionId, OWNER, 'key')])
      assert.equal(stopped?.runId ?? null, run.status === 'completed' ? null : run.runId)
    }
  })
}
