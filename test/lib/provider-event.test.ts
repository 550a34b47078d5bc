import { test } from 'tap'
import { checkProviderEvent } from '../../lib/provider/provider-event.ts'

test('a proper event passes with all its fields, known or not', (t) => {
  const events = [
    { kind: 'text', content: '', messageId: 'm', extra: { a: [1] } },
    { kind: 'thinking', content: 'hm' },
    { kind: 'stream_delta', content: 'a' },
    { kind: 'thinking_delta', content: 'a' },
    { kind: 'stream_end' },
    { kind: 'tool_use', toolId: 't', toolName: 'ls', toolInput: null },
    { kind: 'tool_update', toolId: 't', status: 'running' },
    { kind: 'tool_result', toolId: 't', toolResult: { content: 'x', isError: false } },
    { kind: 'plan', entries: [] },
    { kind: 'usage', inputTokens: 1 },
    { kind: 'status', text: 'thinking' },
    { kind: 'error', code: 'X', message: 'y' },
    { kind: 'custom', name: 'n', transient: true },
    { kind: 'session_created', newSessionId: 'native' },
    { kind: 'complete', exitCode: 3 },
    { kind: 'my_own_kind', anything: null },
    { kind: '__proto__', x: 1 },
    { kind: 'toString' }
  ]
  for (const { kind, ...fields } of events) t.strictSame(checkProviderEvent({ kind, ...fields }), { kind, fields }, kind)
  t.end()
})

test('what is no object with a kind is no event', (t) => {
  for (const value of [undefined, null, 'text', 7, true, 1n, Symbol('x'), () => ({ kind: 'text' })]) {
    t.equal(checkProviderEvent(value), 'not an object', String(value))
  }
  for (const value of [{}, [], { kind: '' }, { kind: 7 }, { kind: null }, { kind: ['text'] }, { type: 'text', content: 'x' }]) {
    t.equal(checkProviderEvent(value), 'no kind', JSON.stringify(value))
  }
  t.end()
})

test('frames of the gateway and approvals are not a provider\'s to send', (t) => {
  const kinds = [
    'chat_subscribed', 'gap', 'stream_closing', 'session_deleted', 'chat_accepted', 'protocol_error',
    'permission_request', 'permission_resolved', 'permission_cancelled'
  ]
  for (const kind of kinds) t.equal(checkProviderEvent({ kind, content: 'x' }), `"${kind}" is not a provider's to send`)
  t.end()
})

test('an event that lacks what clients of its kind rely on is named with the field', (t) => {
  const problems: Array<[Record<string, unknown>, string]> = [
    [{ kind: 'text' }, 'content'],
    [{ kind: 'text', content: [{ type: 'text', text: 'x' }] }, 'content'],
    [{ kind: 'stream_delta', content: null }, 'content'],
    [{ kind: 'thinking', content: 1 }, 'content'],
    [{ kind: 'thinking_delta' }, 'content'],
    [{ kind: 'tool_use', toolId: 't' }, 'toolName'],
    [{ kind: 'tool_use', toolId: 7, toolName: 'ls' }, 'toolId'],
    [{ kind: 'tool_update', toolId: 't' }, 'status'],
    [{ kind: 'tool_result', toolId: 't', toolResult: 'done' }, 'toolResult'],
    [{ kind: 'tool_result', toolId: 't', toolResult: null }, 'toolResult'],
    [{ kind: 'plan', entries: {} }, 'entries'],
    [{ kind: 'status' }, 'text'],
    [{ kind: 'error', code: 'X' }, 'message'],
    [{ kind: 'custom', data: 1 }, 'name'],
    [{ kind: 'session_created' }, 'newSessionId'],
    [{ kind: 'session_created', newSessionId: 12 }, 'newSessionId']
  ]
  for (const [value, field] of problems) t.equal(checkProviderEvent(value), `"${value['kind'] as string}" without a proper "${field}"`)
  t.end()
})

test('a messageId is a string or absent, on any kind', (t) => {
  for (const messageId of [null, 7, {}, ['m']]) {
    t.equal(checkProviderEvent({ kind: 'stream_end', messageId }), '"stream_end" with a messageId that is not a string', JSON.stringify(messageId))
  }
  t.strictSame(checkProviderEvent({ kind: 'stream_end', messageId: undefined }), { kind: 'stream_end', fields: { messageId: undefined } })
  t.end()
})

test('the envelope and toJSON are taken out, also when their values are of the right type, and the given object is left alone', (t) => {
  const given = { kind: 'status', text: 'x', sessionId: 's', runId: 'r', seq: 1, provider: 'p', timestamp: 'now', toJSON: () => 'forged' }
  const copy = { ...given }
  t.strictSame(checkProviderEvent(given), { kind: 'status', fields: { text: 'x' } })
  t.strictSame(given, copy)
  t.end()
})
