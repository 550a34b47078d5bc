import { test } from 'tap'
import { aiSdkDialect } from '../../../transports/dialects/ai-sdk/index.ts'

const { read } = aiSdkDialect()
const user = (...parts: unknown[]) => ({ id: 'm1', role: 'user', parts })
const hello = user({ type: 'text', text: 'hello' })
const submit = (message: unknown, more = {}) => read({ id: 's', messages: [{ anything: 'older' }, message], trigger: 'submit-message', ...more })
const refusal = (body: unknown): string => {
  try {
    read(body as never)
    return 'taken'
  } catch (error) {
    const { code, message } = error as { code: string, message: string }
    return `${code} ${message}`
  }
}

test('a new message is its text, and repeated it is the same', (t) => {
  t.strictSame(submit(hello), { sessionId: 's', message: { content: 'hello', messageId: 'm1' } })
  const strange = 'ö'.repeat(300)
  t.strictSame(submit({ ...hello, id: strange }), {
    sessionId: 's', message: { content: 'hello', idempotencyKey: 'ai-sdk:message#BiyX9-SrGAbIqWa01E19ipKhdU8_aIztPZGLeemQ1uQ' }
  })
  t.strictSame(submit({ role: 'user', parts: hello.parts }), { sessionId: 's', message: { content: 'hello' } })
  t.end()
})

test('an edited message is meant anew; an answer is replaced once, if the client says which', (t) => {
  t.strictSame(submit(hello, { messageId: 'm1' }), { sessionId: 's', message: { content: 'hello' } })
  t.strictSame(submit(hello, { trigger: 'regenerate-message' }), { sessionId: 's', message: { content: 'hello' } })
  t.strictSame(submit(hello, { trigger: 'regenerate-message', messageId: 'run' }), { sessionId: 's', message: { content: 'hello', idempotencyKey: 'ai-sdk:regenerate:run' } })
  t.end()
})

test('provider, options and onBusy are the app\'s to add', (t) => {
  t.strictSame(submit(hello, { messageId: 'm1', provider: 'p', onBusy: 'queue', options: { deep: true }, unknown: 1 }), {
    sessionId: 's', message: { content: 'hello', provider: 'p', onBusy: 'queue', options: { deep: true } }
  })
  t.end()
})

test('text and files are parts, what we have no form for is left out', (t) => {
  const { message } = submit(user(
    { type: 'file', mediaType: 'image/png', url: 'data:image/png;base64,iVBO', filename: 'a.png' },
    { type: 'file', mediaType: 'application/pdf', url: 'https://files.example/b.pdf' },
    { type: 'file', mediaType: 'text/plain', url: 'data:text/plain,h%C3%A9' },
    { type: 'step-start' }, { type: 'data-odd', data: 1 }, { type: 'text', text: '' }, { type: 'text', text: 'one' }, { type: 'text', text: 'two' }
  )) as { message: { content: unknown } }
  t.strictSame(message.content, [
    { type: 'image', mimeType: 'image/png', name: 'a.png', data: 'iVBO' },
    { type: 'file', mimeType: 'application/pdf', url: 'https://files.example/b.pdf' },
    { type: 'file', mimeType: 'text/plain', data: Buffer.from('hé').toString('base64') },
    { type: 'text', text: 'one' }, { type: 'text', text: 'two' }
  ])
  t.end()
})

test('responses to approvals are answers, in whichever part they are', (t) => {
  const part = (state: string, approval: unknown) => ({ type: 'dynamic-tool', state, approval })
  const messages = [hello, {
    id: 'run',
    role: 'assistant',
    parts: [
      part('approval-responded', { id: 'a', approved: true }), part('approval-requested', { id: 'b' }), part('output-available', { id: 'c', approved: true }),
      part('approval-responded', { id: 'd', approved: false, reason: 'Not now.' }), part('approval-responded', { id: 'e' })
    ]
  }]
  t.strictSame(read({ id: 's', messages, trigger: 'submit-message', messageId: 'run' }), {
    sessionId: 's', answers: [{ requestId: 'a', allow: true }, { requestId: 'd', allow: false, message: 'Not now.' }]
  })
  t.end()
})

test('what cannot be done is refused in words', (t) => {
  const last = (message: unknown): string => refusal({ id: 's', messages: [message] })
  t.match(refusal({ id: '../etc', messages: [hello] }), /^AGENT_RUNS_INVALID_REQUEST "id" is the id of a session: it must match /)
  t.equal(last(user()), 'AGENT_RUNS_INVALID_REQUEST The message holds neither text nor files.')
  t.equal(last(user({ type: 'step-start' })), 'AGENT_RUNS_INVALID_REQUEST The message holds neither text nor files.')
  t.match(last({ role: 'assistant', parts: [{ type: 'tool-x', state: 'output-available', output: 1 }] }), /^AGENT_RUNS_INVALID_REQUEST .*without a response to an approval.*tools that clients execute are not supported\.$/)
  t.match(last({ role: 'system', parts: [] }), /^AGENT_RUNS_INVALID_REQUEST .*not one of the role "system"\.$/)
  t.match(last('hello'), /^AGENT_RUNS_INVALID_REQUEST The last message must be object/)
  t.match(last({ role: 'user', content: 'hello' }), /^AGENT_RUNS_INVALID_REQUEST The last message must have required properties parts/)
  t.match(last(user({ type: 'file', mediaType: 'image/png' })), /^AGENT_RUNS_INVALID_REQUEST A file of the message must have required properties url/)
  t.match(last(user({ type: 'file', mediaType: 'text/plain', url: 'data:text/plain' })), /^AGENT_RUNS_INVALID_REQUEST .*"data:" URL without data/)
  t.match(last(user({ type: 'file', mediaType: 'text/plain', url: 'data:text/plain,%E0%A4%A' })), /^AGENT_RUNS_INVALID_REQUEST .*"data:" URL that cannot be read/)
  t.end()
})

test('the last message may come alone, and an empty answer behind it is passed over', (t) => {
  const { read } = aiSdkDialect()
  const question = { id: 'q', role: 'user', parts: [{ type: 'text', text: 'hi' }] }
  const empty = { id: 'r', role: 'assistant', parts: [] }
  const expected = read({ id: 's', messages: [question] })
  t.strictSame(read({ id: 's', message: question }), expected)
  t.strictSame(read({ id: 's', messages: [question, empty] }), expected)
  t.strictSame(read({ id: 's', messages: [question, { ...empty, parts: [{ type: 'step-start' }] }] }), expected)
  t.throws(() => read({ id: 's' }), { code: 'AGENT_RUNS_INVALID_REQUEST' })
  t.throws(() => read({ id: 's', messages: [question, { ...empty, parts: [{ type: 'text', text: 'said' }] }] }), { code: 'AGENT_RUNS_INVALID_REQUEST' })
  t.end()
})
