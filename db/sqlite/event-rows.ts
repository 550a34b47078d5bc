/*
 * Rows of the log ↔ events. A row holds one event as it is, or consecutive events of one run that are alike transient or
 * durable, one a line, without what all events of the run begin with: that is half of a delta. JSON has no raw line break.
 */
import { runsError } from '../../lib/protocol/errors.ts'
import type { RunIdentity, StoredEvent } from '../../lib/protocol/event.ts'

/** What one row of several events may hold: about what a reader sends at once. */
export const MOST_EVENTS = 64
export const MOST_BYTES = 32 * 1024

/** A row as it is inserted. */
export interface EventRow {
  /** Of the last event. */
  seq: number
  /** Of an event as it is; '' of lines, which is no kind. */
  kind: string
  transient: 0 | 1
  json: string
}

/** A row as SQLite gives it. */
export type LogRow = [seq: number, kind: string, transient: 0 | 1, json: string, runId: string, provider: string, sessionId: string]

/** What is the same in the JSON of all events of a run, around the seq; what stands before it is the kind. */
export interface RunEnvelope {
  identity: string
  origin: string
}

const START = '{"kind":"'
/** Ends the kind and the seq of a line; neither has one. */
const END = '"'

export function envelopeOf ({ sessionId, runId, provider }: RunIdentity): RunEnvelope {
  return {
    identity: `","sessionId":${JSON.stringify(sessionId)},"runId":${JSON.stringify(runId)},"seq":`,
    origin: `,"provider":${JSON.stringify(provider)},"timestamp":"`
  }
}

/** The rows for consecutive events of one run. An event that is not in that envelope, or that SQL reads, has a row of its own. */
export function toRows (events: readonly StoredEvent[], envelope: RunEnvelope): EventRow[] {
  const rows: EventRow[] = []
  let last: EventRow | null = null
  for (const event of events) {
    const row = toRow(event, envelope)
    if (last?.kind === '' && row.kind === '' && last.transient === row.transient && last.json.length + row.json.length < MOST_BYTES) {
      last.seq = row.seq
      last.json += '\n' + row.json
    } else {
      rows.push(last = row)
    }
  }
  return rows
}

function toRow (event: StoredEvent, envelope: RunEnvelope): EventRow {
  const { seq, kind, json } = event
  const transient = event.transient ? 1 : 0
  const line = isRead(kind) ? null : lineOf(event, envelope)
  return line === null ? { seq, kind, transient, json } : { seq, kind: '', transient, json: line }
}

/** The events of a row. */
export function toEvents ([seq, kind, isTransient, json, runId, provider, sessionId]: LogRow): StoredEvent[] {
  const transient = isTransient === 1
  if (kind !== '') return [{ seq, kind, runId, transient, json }]
  const { identity, origin } = envelopeOf({ sessionId, runId, provider })
  const events: StoredEvent[] = []
  for (let start = 0; start < json.length;) {
    const kindEnd = json.indexOf(END, start)
    const seqEnd = json.indexOf(END, kindEnd + 1)
    if (kindEnd === -1 || seqEnd === -1) throw runsError('STORE_FAILED', [], { cause: new Error(`a row of run ${runId} holds no lines`) })
    const newline = json.indexOf('\n', seqEnd)
    const end = newline === -1 ? json.length : newline
    const kind = json.slice(start, kindEnd)
    const seq = json.slice(kindEnd + 1, seqEnd)
    events.push({ seq: Number(seq), kind, runId, transient, json: START + kind + identity + seq + origin + json.slice(seqEnd + 1, end) })
    start = end + 1
  }
  return events
}

const APPROVAL_KINDS: ReadonlySet<string> = new Set(['permission_request', 'permission_resolved', 'permission_cancelled'])

/** Whether events of a kind say something of an approval. */
export const isOfApproval = (kind: string): boolean => APPROVAL_KINDS.has(kind)

/** Whether statements read the JSON of events of a kind, or look for their seq. */
const isRead = (kind: string): boolean => kind === 'complete' || isOfApproval(kind)

/** What tells an event from others of its run; null if the rest is not, to the byte, the envelope. */
function lineOf ({ seq, kind, json }: StoredEvent, { identity, origin }: RunEnvelope): string | null {
  const identityAt = START.length + kind.length
  const seqText = String(seq)
  const originAt = identityAt + identity.length + seqText.length
  const isInEnvelope = json.startsWith(START) && json.startsWith(kind, START.length) && json.startsWith(identity, identityAt) &&
    json.startsWith(seqText, identityAt + identity.length) && json.startsWith(origin, originAt)
  return isInEnvelope && !json.includes('\n') ? kind + END + seqText + END + json.slice(originAt + origin.length) : null
}
