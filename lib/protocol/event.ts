/* Events: which of them are transient, and the one encoding in which they are stored and sent. What each kind says is in schemas/events.ts. */
import { toJson } from './json.ts'
import { EVENTS } from './schemas/events.ts'
import type { Envelope, EventKinds } from './words.ts'

export type EventKind = keyof EventKinds

/** The fields that only we write. */
export const ENVELOPE_FIELDS = ['kind', 'sessionId', 'runId', 'seq', 'provider', 'timestamp'] as const

/** One event of one kind. */
export type EventOf<K extends EventKind> = Envelope & { kind: K } & EventKinds[K]

/** An event as clients receive it; `switch (event.kind)` narrows it. */
export type Event = { [K in EventKind]: EventOf<K> }[EventKind]

/** The terminal event of a run. */
export type CompleteEvent = EventOf<'complete'>

/** An event whose seq is given when it is committed. `fields` is the JSON object of what the envelope lacks. */
export interface PendingEvent {
  kind: string
  transient: boolean
  timestamp: string
  fields: string
}

/** A committed event. `json` is the exact text that is stored and sent. */
export interface StoredEvent {
  seq: number
  kind: string
  runId: string
  transient: boolean
  json: string
}

/** The run that an event belongs to. */
export interface RunIdentity {
  sessionId: string
  runId: string
  provider: string
}

const kindsThatAre = (kept: 'transient' | 'durable'): ReadonlySet<string> => new Set(Object.entries(EVENTS).flatMap(([kind, word]) => word.kept === kept ? [kind] : []))
const TRANSIENT_KINDS = kindsThatAre('transient')
const DURABLE_KINDS = kindsThatAre('durable')

/** Durable, but no part of what is said: agents send them between the deltas of a message, or before its whole. */
export const ASIDE_KINDS: ReadonlySet<string> = new Set(['usage', 'plan'])

/** Whether an event only matters while fresh; all others are the history. `custom` and kinds of your own may say so. */
export function isTransient (kind: string, fields: { transient?: unknown }): boolean {
  return TRANSIENT_KINDS.has(kind) || (fields.transient === true && !DURABLE_KINDS.has(kind))
}

let stamped = { time: NaN, text: '' }

/** The time as events carry it: ISO 8601, UTC. Many events fall into one millisecond, which is written once. */
export function timestamp (): string {
  const time = Date.now()
  if (time !== stamped.time) stamped = { time, text: new Date(time).toISOString() }
  return stamped.text
}

/** A pending event of `kind`, encoded now. Throws what `toJson` throws. */
export function pendingEvent<K extends EventKind> (kind: K, fields: EventKinds[K]): PendingEvent {
  return {
    kind,
    transient: isTransient(kind, fields as { transient?: unknown }),
    timestamp: timestamp(),
    fields: toJson(fields)
  }
}

export type EncodeEvent = (event: PendingEvent, seq: number) => StoredEvent

/**
 * The encoder of one run's events. What does not change within a run is encoded once, and `fields` is spliced in as it
 * stands, so that no event is ever stringified twice.
 */
export function eventEncoder ({ sessionId, runId, provider }: RunIdentity): EncodeEvent {
  const identity = `"sessionId":${JSON.stringify(sessionId)},"runId":${JSON.stringify(runId)},"seq":`
  const origin = `,"provider":${JSON.stringify(provider)},"timestamp":"`
  return ({ kind, transient, timestamp, fields }, seq) => {
    const rest = fields === '{}' ? '}' : ',' + fields.slice(1)
    const json = `{"kind":${JSON.stringify(kind)},${identity}${seq}${origin}${timestamp}"${rest}`
    return { seq, kind, runId, transient, json }
  }
}

/** The event that a stored text holds. */
export function parseEvent (stored: StoredEvent): Event {
  return JSON.parse(stored.json) as Event
}
