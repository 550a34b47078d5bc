import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'tap'
import { emptyTranscript, fold, type Transcript } from '../../client/index.ts'
import { type Event, isTransient, parseEvent, type StoredEvent } from '../../lib/protocol/event.ts'
import { planCompaction } from '../../lib/store/compaction.ts'
import { complete, event } from '../helpers/client-frames.ts'

const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 500)

type Said = ['delta' | 'thinking delta' | 'end' | 'whole' | 'thought' | 'tool' | 'usage' | 'status', messageId: string, content: string]

const saidArbitrary: fc.Arbitrary<Said> = fc.tuple(
  fc.constantFrom(...['delta', 'delta', 'delta', 'delta', 'thinking delta', 'thinking delta', 'end', 'whole', 'thought', 'tool', 'usage', 'status'] as const),
  fc.constantFrom('a', 'b'),
  fc.string({ minLength: 1, maxLength: 6 })
)

/** A run's events as the server commits them: whatever was said in deltas is there as a whole before the end. */
function runOf (sayings: Said[], isOver: boolean): Event[] {
  const events: Event[] = [event(1, 'text', { role: 'user', messageId: 'u', content: 'go' })]
  const open = new Map<string, string>()
  let generation = 0
  const names = new Map<string, string>()
  const nameOf = (messageId: string): string => names.get(messageId) ?? messageId
  for (const [what, message, content] of sayings) {
    const seq = events.length + 1
    const messageId = nameOf(message)
    const whole = (kind: 'text' | 'thinking'): void => {
      open.delete(`${kind} ${messageId}`)
      if (open.has(`text ${messageId}`) || open.has(`thinking ${messageId}`)) return
      // What follows a whole is another message.
      names.set(message, `${message}${++generation}`)
    }
    switch (what) {
      case 'delta':
        open.set(`text ${messageId}`, (open.get(`text ${messageId}`) ?? '') + content)
        events.push(event(seq, 'stream_delta', { messageId, content }))
        break
      case 'thinking delta':
        open.set(`thinking ${messageId}`, (open.get(`thinking ${messageId}`) ?? '') + content)
        events.push(event(seq, 'thinking_delta', { messageId, content }))
        break
      case 'end':
        events.push(event(seq, 'stream_end', { messageId }))
        break
      case 'whole':
        if (open.has(`thinking ${messageId}`)) break
        events.push(event(seq, 'text', { role: 'assistant', messageId, content }))
        whole('text')
        break
      case 'thought':
        if (open.has(`text ${messageId}`)) break
        events.push(event(seq, 'thinking', { messageId, content }))
        whole('thinking')
        break
      case 'tool':
        events.push(event(seq, 'tool_use', { toolId: `t${seq}`, toolName: 'x', toolInput: content }))
        break
      case 'usage':
        events.push(event(seq, 'usage', { inputTokens: seq }))
        break
      case 'status':
        events.push(event(seq, 'status', { text: content }))
    }
  }
  if (!isOver) return events
  for (const [key, content] of open) {
    const [kind, messageId] = key.split(' ') as ['text' | 'thinking', string]
    const seq = events.length + 1
    events.push(kind === 'text' ? event(seq, 'text', { role: 'assistant', messageId, content }) : event(seq, 'thinking', { messageId, content }))
  }
  return [...events, complete(events.length + 1)]
}

/** What the log holds of a run once all but about `keep` of its transient events are compacted. */
function compacted (events: Event[], keep: number): Event[] {
  const stored = events.map((each): StoredEvent => ({ seq: each.seq, kind: each.kind, runId: each.runId, transient: isTransient(each.kind, {}), json: JSON.stringify(each) }))
  const plan = planCompaction(stored, keep)
  if (plan === null) return events
  const gone = new Set(plan.remove)
  const rewritten = new Map(plan.rewrite.map((each) => [each.seq, each]))
  return stored.filter(({ seq }) => !gone.has(seq)).map((each) => parseEvent(rewritten.get(each.seq) ?? each))
}

/** Each message's text, and everything else that is durable. */
function textsOf ({ runs }: Transcript): unknown {
  return runs.map(({ runId, status, complete, usage, parts }) => ({
    runId,
    status,
    complete,
    usage,
    parts: Object.fromEntries(parts.map((part) => [part.key, 'content' in part ? part.content : part]))
  }))
}

test('however a run is read, cut and resumed and compacted in between, its texts are those of everything read once', async (t) => {
  let readings = 0
  fc.assert(fc.property(
    fc.array(saidArbitrary, { maxLength: 60 }),
    fc.boolean(),
    fc.array(fc.tuple(fc.nat(40), fc.nat(8), fc.nat(30)), { minLength: 1, maxLength: 6 }),
    (sayings, isOver, cuts) => {
      const events = runOf(sayings, isOver)
      let log = events
      let transcript = emptyTranscript
      // Each time it reads some, with a few that it has had already; while it is away the log is compacted.
      for (const [some, doubled, keep] of cuts) {
        const next = log.findIndex(({ seq }) => seq > transcript.cursor)
        if (next === -1) break
        transcript = log.slice(Math.max(0, next - doubled), next + some).reduce(fold, transcript)
        log = compacted(log, keep)
        readings++
      }
      transcript = log.filter(({ seq }) => seq > transcript.cursor).reduce(fold, transcript)
      assert.deepEqual(textsOf(transcript), textsOf(events.reduce(fold, emptyTranscript)))
    }
  ), { numRuns: RUNS, ...process.env['PROPERTY_SEED'] !== undefined && { seed: Number(process.env['PROPERTY_SEED']) } })
  t.ok(readings >= RUNS, 'they were cut')
})
