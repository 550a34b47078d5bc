import { lastAssistantMessageIsCompleteWithApprovalResponses as isAnswered, lastAssistantMessageIsCompleteWithToolCalls as isExecuted, uiMessageChunkSchema as chunks6, type UIMessage } from 'ai6'
import { uiMessageChunkSchema as chunks5 } from 'ai5'
import { uiMessageChunkSchema as chunks7 } from 'ai7'
import fc from 'fast-check'
import { test } from 'tap'
import { type Event, parseEvent, type StoredEvent } from '../../lib/protocol/event.ts'
import { planCompaction } from '../../lib/store/compaction.ts'
import { aiSdkDialect } from '../../transports/dialects/ai-sdk/index.ts'
import { ask, cancelled, chunksOf, complete, delta, message, read, resolved, result, run, type Said, stream, text, textOf, thought, use } from '../helpers/ai-sdk-streams.ts'

/** Each message has letters of its own, so that its text is found again in a mixture of many. */
const LETTERS = [['a', 'b', 'cc'], ['x', 'y', 'zz'], ['1', '2', '33']] as const

const number = fc.nat({ max: 2 })
const command = (...names: string[]) => fc.tuple(fc.constantFrom(...names), number, number)
const anything = fc.oneof(
  command('delta', 'thought', 'snapshot', 'end', 'whole'), command('use', 'use', 'update', 'result', 'error'), command('ask', 'ask', 'allow', 'deny', 'withdraw'), command('plan', 'status', 'custom')
)
const commandsOf = (mostly: typeof anything) => fc.array(fc.oneof({ weight: 1, arbitrary: anything }, { weight: 2, arbitrary: mostly }), { maxLength: 30, size: 'max' })

/** A run that does what the commands say, as far as a run may, and ends in order. */
function play (commands: Array<[string, number, number]>, reason: 'finished' | 'aborted' | 'failed' | 'timeout'): { events: Event[], texts: string[] } {
  const said: Said[] = [message]
  const texts = ['', '', '']
  const whole = new Set<number>()
  const open: string[] = []
  let asked = 0
  for (const [name, a, b] of commands) {
    const id = `m${a}`
    const piece = LETTERS[a]![b]!
    if (['delta', 'snapshot', 'whole'].includes(name) && whole.has(a)) continue
    if (['delta', 'snapshot', 'whole'].includes(name)) texts[a] += piece
    switch (name) {
      case 'delta': said.push(delta(id, piece)); break
      case 'snapshot': said.push({ kind: 'stream_delta', messageId: id, content: texts[a]!, snapshot: true }); break
      case 'thought': said.push(thought(id, piece)); break
      case 'end': said.push({ kind: 'stream_end', messageId: id }); break
      case 'whole': whole.add(a); said.push(text(id, texts[a]!)); break
      case 'use': said.push(use(`t${a}`, { b })); break
      case 'update': said.push({ kind: 'tool_update', toolId: `t${a}`, status: 'running', content: b }); break
      case 'result': said.push(result(`t${a}`, b)); break
      case 'error': said.push(result(`t${a}`, 'bad', true)); break
      case 'ask': open.push(`q${++asked}`); said.push(ask(`q${asked}`, b === 0 ? undefined : `t${a}`)); break
      case 'plan': said.push({ kind: 'plan', entries: [a] }); break
      case 'status': said.push({ kind: 'status', text: 'busy' }); break
      case 'custom': said.push({ kind: 'custom', name: id, data: b }); break
      default: {
        const [requestId] = open.splice(a % Math.max(1, open.length), 1)
        if (requestId !== undefined) said.push(name === 'withdraw' ? cancelled(requestId) : resolved(requestId, name === 'allow'))
      }
    }
  }
  for (const [index, content] of texts.entries()) if (content !== '' && !whole.has(index)) said.push(text(`m${index}`, content))
  for (const requestId of open) said.push(cancelled(requestId, reason === 'timeout' ? 'timeout' : 'finished'))
  return { events: run(...said, complete(reason)), texts }
}

/** The run as it is retained after a compaction. */
function compacted (events: Event[], keep: number): Event[] {
  const stored = events.map((event): StoredEvent => ({
    seq: event.seq, kind: event.kind, runId: event.runId, transient: ['stream_delta', 'stream_end', 'thinking_delta', 'tool_update', 'status'].includes(event.kind), json: JSON.stringify(event)
  }))
  const plan = planCompaction(stored, keep)
  if (plan === null) return events
  const rewritten = new Map(plan.rewrite.map((event) => [event.seq, event]))
  return stored.filter(({ seq }) => !plan.remove.includes(seq)).map((event) => parseEvent(rewritten.get(event.seq) ?? event))
}

type Schema = typeof chunks5 | typeof chunks6 | typeof chunks7

async function assertChunks (frames: string, schemas: Schema[]): Promise<void> {
  for (const chunk of chunksOf(frames)) {
    if (chunk === '[DONE]') continue
    for (const schema of schemas) {
      const { success } = await schema().validate!(chunk)
      if (!success) throw new Error(`no chunk: ${JSON.stringify(chunk)}`)
    }
  }
}

function assertTexts (client: UIMessage, texts: string[]): void {
  const mixture = textOf(client)
  for (const [index, letters] of LETTERS.entries()) {
    const found = [...mixture].filter((letter) => letters.some((piece) => piece.includes(letter))).join('')
    if (found !== texts[index]) throw new Error(`"${found}" was read, "${texts[index]}" was said`)
  }
}

/** That a client neither waits for a tool, nor posts by itself, nor has two parts for one call. */
function assertAtRest (client: UIMessage): void {
  const tools = client.parts.filter((part) => part.type === 'dynamic-tool')
  if (new Set(tools.map(({ toolCallId }) => toolCallId)).size < tools.length) throw new Error('two parts for one call')
  if (isAnswered({ messages: [client] }) || isExecuted({ messages: [client] })) throw new Error('the client would post')
}

const respond = (client: UIMessage, approved: boolean): UIMessage => ({
  ...client,
  parts: client.parts.map((part) => part.type === 'dynamic-tool' && part.state === 'approval-requested' ? { ...part, state: 'approval-responded', approval: { id: part.approval.id, approved } } : part)
})

const reason = fc.constantFrom('finished', 'aborted', 'failed', 'timeout')

test('whatever a run does, a client of the AI SDK 6 or 7 is asked what waits, in a way that lets it answer, and ends with all that was said', async (t) => {
  await fc.assert(fc.asyncProperty(commandsOf(command('use', 'use', 'result', 'delta', 'ask', 'allow')), reason, fc.infiniteStream(fc.nat({ max: 20 })), async (commands, reason, random) => {
    const { events, texts } = play(commands, reason)
    const outcome = new Map(events.flatMap((event) => event.kind === 'permission_resolved' || event.kind === 'permission_cancelled' ? [[event.requestId, event.seq]] : []))
    let client: UIMessage | undefined
    let told = 0
    let lastSeq = 0
    for (;;) {
      // What was decided before the stream began does not wait any more.
      const waiting = [...outcome].flatMap(([requestId, seq]) => seq > lastSeq ? [requestId] : [])
      const { frames, paused } = stream(events, { waiting, told, ...(client !== undefined && { messages: [client] }) })
      await assertChunks(frames, [chunks6, chunks7])
      client = await read(frames, client)
      assertAtRest(client)
      if (!paused) break
      const asked = client.parts.filter((part) => part.type === 'dynamic-tool' && part.state === 'approval-requested').map((part) => (part as { approval: { id: string } }).approval.id)
      const seqs = asked.map((requestId) => events.find((event) => event.kind === 'permission_request' && event.requestId === requestId)!.seq)
      client = respond(client, random.next().value % 2 === 0)
      if (!isAnswered({ messages: [client] })) throw new Error('the client would never post its answer')
      told = Math.max(...seqs)
      lastSeq = Math.max(lastSeq, ...asked.map((requestId) => outcome.get(requestId)!)) + random.next().value
    }
    assertTexts(client, texts)
    if (client.parts.some((part) => part.type === 'dynamic-tool' && !part.state.startsWith('output-'))) throw new Error('a tool is open')
  }), { numRuns: 1_000 })
  t.pass()
})

test('whatever was compacted of a run, its replay and its history hold all that was said', async (t) => {
  await fc.assert(fc.asyncProperty(commandsOf(command('delta', 'delta', 'delta', 'delta', 'whole')), reason, number, async (commands, reason, keep) => {
    const { events, texts } = play(commands, reason)
    for (const approvals of ['parts', 'data'] as const) {
      const dialect = aiSdkDialect({ approvals })
      const { frames } = stream(compacted(events, keep), { dialect, waiting: [] })
      await assertChunks(frames, approvals === 'data' ? [chunks5, chunks6, chunks7] : [chunks6, chunks7])
      const client = await read(frames)
      assertTexts(client, texts)
      assertAtRest(client)
      const [, answer] = dialect.messages!(events.filter(({ kind }) => !['stream_delta', 'stream_end', 'thinking_delta', 'tool_update', 'status'].includes(kind))) as UIMessage[]
      if (answer !== undefined) assertTexts(answer, texts)
    }
  }), { numRuns: 500 })
  t.pass()
})
