/* What has changed is named: an instance asks about those sessions alone, however many are followed there. */
import assert from 'node:assert/strict'
import { INTERRUPTED } from '../../lib/protocol/run-ending.ts'
import type { StoreTest } from './bench.ts'
import { accept, asks, drive, newSession } from './driven-run.ts'

export function changes (test: StoreTest): void {
  test('sessions that have changed since a cursor are named: every kind of change, by any instance', async (bench) => {
    const [one, other] = [await bench.open(), await bench.open()]
    const run = await drive(one, 'r')
    let { cursor, sessionIds } = await other.changedSessions(null)
    assert.equal(sessionIds, null, 'from nothing any may have changed')
    const assertNamed = async (sessionId: string, what: string, change: () => Promise<unknown>): Promise<void> => {
      await change()
      const changes = await other.changedSessions(cursor)
      assert.ok(changes.sessionIds?.includes(sessionId) ?? true, what)
      cursor = changes.cursor
    }
    await assertNamed('s', 'an append', () => run.append(asks('p')))
    await assertNamed('s', 'an answer', () => other.answerPermission('s', null, 'p', { allow: true }))
    await assertNamed('s', 'a waiting run', () => accept(one, 'waiting'))
    await assertNamed('s', 'a cancelled run', () => one.cancelQueuedRun('waiting'))
    await assertNamed('new', 'a new session', () => one.createSession(newSession('new')))
    await assertNamed('new', 'a title', () => one.updateSession('new', null, { title: 'Anew' }))
    await assertNamed('other', 'a first message', () => accept(other, 'first', { sessionId: 'other' }))
    await assertNamed('s', 'an end from outside', () => other.closeRun('r', INTERRUPTED, { promote: true }))
    await assertNamed('new', 'a deletion', () => one.deleteSession('new', null))
    const old = cursor
    await accept(one, 'last', { sessionId: 'last' })
    for (const from of [old, old]) assert.ok((await other.changedSessions(from)).sessionIds?.includes('last') ?? true, 'also asked again')
  })
}
