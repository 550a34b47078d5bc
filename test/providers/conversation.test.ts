import { test } from 'tap'
import type { Event } from '../../lib/protocol/event.ts'
import { Conversation, conversationOf, INTERRUPTED, type Turn } from '../../providers/common/conversation.ts'

type Fields = { kind: Event['kind'], runId?: string } & Record<string, unknown>

const user = (content: unknown): Fields => ({ kind: 'text', role: 'user', messageId: 'u', content })
const says = (content: unknown): Fields => ({ kind: 'text', role: 'assistant', messageId: 'a', content })
const thinks = (content: string): Fields => ({ kind: 'thinking', messageId: 't', content })
const uses = (toolId: string, toolInput: unknown = {}, toolName = 'look'): Fields => ({ kind: 'tool_use', toolId, toolName, toolInput })
const results = (toolId: string, content: unknown, isError = false): Fields => ({ kind: 'tool_result', toolId, toolResult: { content, isError } })
const completes = (reason = 'finished'): Fields => ({ kind: 'complete', exitCode: 0, success: true, aborted: false, reason, actualSessionId: 's' })

/** Events as the log has them; unless they say otherwise, of one run. */
function logOf (fields: Fields[]): Event[] {
  return fields.map((each, i) => ({ sessionId: 's', runId: 'r', provider: 'p', timestamp: '2026-01-01T00:00:00.000Z', seq: i + 1, ...each }) as unknown as Event)
}

function turnsOf (...fields: Fields[]): Turn[] {
  const conversation = new Conversation()
  for (const event of logOf(fields)) conversation.add(event)
  return conversation.turns()
}

const call = (id: string, content: unknown, more = {}) => ({ id, name: 'look', input: {}, result: { content, isError: false }, ...more })

test('what was said becomes turns, with the new message at the end', async (t) => {
  const content = [{ type: 'image' as const, mimeType: 'image/png', data: 'AAAA' }]
  const events = logOf([user('hi'), thinks('Politely.'), says('Hello.'), completes(), user(content), says([{ type: 'text', text: 'Nice.' }]), completes()])
  t.strictSame(await conversationOf({ content: 'bye', async * history () { yield * events } }), [
    { role: 'user', content: 'hi' },
    { role: 'assistant', text: 'Hello.', reasoning: 'Politely.', toolCalls: [] },
    { role: 'user', content },
    { role: 'assistant', text: 'Nice.', toolCalls: [] },
    { role: 'user', content: 'bye' }
  ])
})

test('calls that were made at once are one turn; what comes behind their results is the next', (t) => {
  t.strictSame(turnsOf(user('go'), says('Let me look.'), uses('1'), uses('2'), results('2', 'two'), results('1', { n: 1 }), uses('3'), results('3', 'three'), thinks('So.'), says('Done.')), [
    { role: 'user', content: 'go' },
    { role: 'assistant', text: 'Let me look.', toolCalls: [call('1', { n: 1 }), call('2', 'two')] },
    { role: 'assistant', text: '', toolCalls: [call('3', 'three')] },
    { role: 'assistant', text: 'Done.', reasoning: 'So.', toolCalls: [] }
  ])
  t.end()
})

test('a result finds its call though words came between', (t) => {
  t.strictSame(turnsOf(uses('1'), says('Meanwhile.'), results('1', 'one', true)), [
    { role: 'assistant', text: '', toolCalls: [call('1', 'one', { result: { content: 'one', isError: true } })] },
    { role: 'assistant', text: 'Meanwhile.', toolCalls: [] }
  ])
  t.end()
})

test('a call without a result was interrupted; what a run said before it was aborted stays', (t) => {
  t.strictSame(turnsOf(user('go'), says('Let me'), uses('1'), completes('aborted'), user('well?')), [
    { role: 'user', content: 'go' },
    { role: 'assistant', text: 'Let me', toolCalls: [call('1', INTERRUPTED, { result: { content: INTERRUPTED, isError: true } })] },
    { role: 'user', content: 'well?' }
  ])
  t.end()
})

test('a later tool_use of an id replaces the call, also behind its result, but not that of another run', (t) => {
  t.strictSame(turnsOf(
    { ...uses('1', null), runId: 'a' }, { ...uses('1', { path: '/' }, 'list'), runId: 'a' }, { ...results('1', 'x'), runId: 'a' }, { ...uses('1', { path: '/y' }, 'list'), runId: 'a' }, { ...results('1', 'y'), runId: 'a' },
    { ...user('again'), runId: 'b' }, { ...uses('1'), runId: 'b' }, { ...results('1', 'z'), runId: 'b' }
  ), [
    { role: 'assistant', text: '', toolCalls: [call('1', 'y', { name: 'list', input: { path: '/y' } })] },
    { role: 'user', content: 'again' },
    { role: 'assistant', text: '', toolCalls: [call('1', 'z')] }
  ])
  t.end()
})

test('what is no part of the conversation leaves no trace: thoughts without words, results of nothing, all other kinds', (t) => {
  t.strictSame(turnsOf(
    user('go'), thinks('Hm.'), results('nowhere', 'x'), completes('aborted'), user('again'),
    { kind: 'plan', entries: [] }, { kind: 'custom', name: 'x' }, { kind: 'usage' }, { kind: 'error', code: 'X', message: 'x' }, says(''), { kind: 'permission_request', requestId: 'p', toolName: 'look', input: {} }, completes()
  ), [{ role: 'user', content: 'go' }, { role: 'user', content: 'again' }])
  t.end()
})

test('several messages of one turn are paragraphs', (t) => {
  t.strictSame(turnsOf(thinks('a'), thinks('b'), says('One.'), says('Two.')), [{ role: 'assistant', text: 'One.\n\nTwo.', reasoning: 'a\n\nb', toolCalls: [] }])
  t.end()
})
