/* Runs as the tests of the suite drive them, and the words they use for what happens. */
import assert from 'node:assert/strict'
import { type ErrorCode, hasCode } from '../../lib/protocol/errors.ts'
import { eventEncoder, parseEvent, type PendingEvent, pendingEvent, type StoredEvent } from '../../lib/protocol/event.ts'
import { completeFields, FINISHED } from '../../lib/protocol/run-ending.ts'
import type { RunEnding } from '../../lib/protocol/run-state.ts'
import type { SessionState } from '../../lib/protocol/session.ts'
import type { EventKinds } from '../../lib/protocol/words.ts'
import type { AppendAnswer, AppendGroup, ClaimedRun, LogPage, NewRun, NewSession, Promotion, RunStart, Store } from '../../lib/store/store.ts'

export const OWNER = 'ada'
export const STRANGER = 'bob'
/** A page that holds everything. */
export const ALL = { rows: 10_000, bytes: 64 * 1024 * 1024 }

export type Accepted = Extract<RunStart, { outcome: 'accepted' }>

/** A message to session 's' that starts it, if need be. */
export function newRun (runId: string, more: Partial<NewRun> = {}): NewRun {
  const message = pendingEvent('text', { role: 'user', messageId: `message-${runId}`, content: `do ${runId}` })
  return {
    runId, sessionId: 's', owner: OWNER, provider: 'echo', message, options: {}, createSession: true, onBusy: 'queue', admit: 'run', maxQueued: 100, names: [], ...more
  }
}

export function newSession (id: string, more: Partial<NewSession> = {}): NewSession {
  return { id, owner: OWNER, provider: null, title: null, metadata: {}, ...more }
}

/** Starts a run that must be accepted. */
export async function accept (store: Store, runId: string, more: Partial<NewRun> = {}): Promise<Accepted> {
  const start = await store.startRun(newRun(runId, more))
  assert.equal(start.outcome, 'accepted', `${runId} should be accepted`)
  return start as Accepted
}

/** Starts a run that must be claimed at once. */
export async function drive (store: Store, runId: string, more: Partial<NewRun> = {}): Promise<DrivenRun> {
  const { promotion } = await accept(store, runId, more)
  return new DrivenRun(store, claimedOf(promotion, runId))
}

/** The run that a promotion must have claimed. */
export function claimedOf (promotion: Promotion | null, runId: string): ClaimedRun {
  assert.equal(promotion?.claimed?.run.runId, runId, `${runId} should be claimed`)
  return promotion!.claimed!
}

export const text = (content: string): PendingEvent => pendingEvent('text', { role: 'assistant', messageId: `m-${content}`, content })
export const delta = (messageId: string, content: string): PendingEvent => pendingEvent('stream_delta', { messageId, content })
export const status = (words: string): PendingEvent => pendingEvent('status', { text: words })
export const asks = (requestId: string): PendingEvent => pendingEvent('permission_request', { requestId, toolName: 'shell', input: { command: `do ${requestId}` } })
export const asksLong = (requestId: string, length: number): PendingEvent => pendingEvent('permission_request', { requestId, toolName: 'shell', input: 'x'.repeat(length) })
export const resolves = (requestId: string): PendingEvent => pendingEvent('permission_resolved', { requestId, allow: true })
export const withdraws = (requestId: string): PendingEvent => pendingEvent('permission_cancelled', { requestId, reason: 'withdrawn' })
export const custom = (data: unknown): PendingEvent => pendingEvent('custom', { name: 'test', data })

/** A run that this instance drives; it knows which seq is next. */
export class DrivenRun {
  readonly claimed: ClaimedRun
  readonly runId: string
  readonly sessionId: string
  /** The seq of its newest event. */
  seq: number
  readonly #store: Store

  constructor (store: Store, claimed: ClaimedRun) {
    this.#store = store
    this.claimed = claimed
    this.runId = claimed.run.runId
    this.sessionId = claimed.run.sessionId
    this.seq = claimed.message.seq
  }

  /** A group that follows the run's newest event, or comes at another place. */
  group (pending: PendingEvent[], { ending = null, promote = true, firstSeq = this.seq + 1 }: { ending?: RunEnding | null, promote?: boolean, firstSeq?: number } = {}): AppendGroup {
    const all = ending === null ? pending : [...pending, pendingEvent('complete', completeFields(this.sessionId, ending))]
    const encode = eventEncoder(this.claimed.run)
    return { runId: this.runId, events: all.map((event, index) => encode(event, firstSeq + index)), ending, promote }
  }

  /** Appends events that must be taken; answers them. */
  async append (...pending: PendingEvent[]): Promise<StoredEvent[]> {
    return (await this.send(this.group(pending))).events
  }

  /** Ends the run; answers what that set in motion. */
  async end (ending: RunEnding = FINISHED, { promote = true } = {}): Promise<Promotion | null> {
    return (await this.send(this.group([], { ending, promote }))).answer.promotion
  }

  /** Sends a group that must be taken. */
  async send (group: AppendGroup): Promise<{ events: StoredEvent[], answer: AppendAnswer }> {
    const answer = await only(this.#store, group)
    assert.equal(answer.outcome, 'ok', `events of ${this.runId} should be taken`)
    this.seq = group.events.at(-1)!.seq
    return { events: group.events, answer }
  }
}

/** Sends one group; its answer. */
export async function only (store: Store, group: AppendGroup): Promise<AppendAnswer> {
  const answers = await store.append([group])
  assert.equal(answers.length, 1, 'there is one answer per group')
  return answers[0]!
}

/** Sends one group; its outcome. */
export async function outcome (store: Store, group: AppendGroup): Promise<AppendAnswer['outcome']> {
  return (await only(store, group)).outcome
}

/** A promotion that moved nothing: there may be none at all. */
export function assertStandstill (promotion: Promotion | null): void {
  assert.deepEqual(promotion?.events ?? [], [], 'nothing is appended')
  assert.equal(promotion?.claimed ?? null, null, 'nothing is claimed')
}

/** The session, as the app sees it. */
export async function sessionOf (store: Store, sessionId = 's'): Promise<SessionState> {
  const session = await store.getSession(sessionId, null)
  assert.ok(session, `session ${sessionId} should exist`)
  return session
}

/** The whole log of a session. */
export async function logOf (store: Store, sessionId = 's'): Promise<LogPage> {
  const page = await store.read(sessionId, null, 0, ALL)
  assert.ok(page, `session ${sessionId} should have a log`)
  return page
}

/** Events in short: run, kind, and what tells it from others. */
export function inShort (events: StoredEvent[]): string[] {
  return events.map((stored) => {
    const event = parseEvent(stored) as unknown as Partial<EventKinds['text'] & EventKinds['complete'] & EventKinds['permission_resolved']>
    return [stored.runId, stored.kind, event.requestId, event.content ?? event.reason].filter((word) => word !== undefined).join(' ')
  })
}

/** The seqs of events. */
export function seqs (events: StoredEvent[]): number[] {
  return events.map(({ seq }) => seq)
}

/** 1, 2, … n. */
export function upTo (n: number): number[] {
  return Array.from({ length: n }, (_, index) => index + 1)
}

/** Fails unless the promise rejects with an error of that code. */
export async function rejects (code: ErrorCode, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(hasCode(error, code), `${String(error)} is no ${code}`)
    return true
  })
}

/** Resolves when the clock by which the store tells the times of sessions has moved on. */
export async function laterThan (time: string): Promise<void> {
  while (Date.now() <= Date.parse(time)) await new Promise((resolve) => { setTimeout(resolve, 1) })
}
