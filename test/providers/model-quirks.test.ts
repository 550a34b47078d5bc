/* Model services that do not behave: whom is believed when an answer is over, and what is sent after a run that failed. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type Test } from 'tap'
import { modelError } from '../../providers/common/model-error.ts'
import { openai, type OpenAiOptions } from '../../providers/openai/index.ts'
import { completeOf, Conversing, texts } from '../helpers/conversing.ts'

interface Asked { body: { messages: Array<{ role: string, content: unknown }> }, response: ServerResponse }

const chunk = (delta: object, reason: string | null = null, more: object = {}): string =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: reason }], ...more })}\n\n`
const USAGE = { usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } }
const DONE = 'data: [DONE]\n\n'

/** A chat with a service that answers as the test says. */
async function serve (t: Test, answer: (asked: Asked) => void, { type = 'text/event-stream', options = {} }: { type?: string, options?: Partial<OpenAiOptions> } = {}) {
  const asked: Asked['body'][] = []
  const server = createServer((request, response) => {
    let text = ''
    request.setEncoding('utf8').on('data', (part: string) => { text += part }).on('end', () => {
      const body = JSON.parse(text) as Asked['body']
      asked.push(body)
      response.writeHead(200, { 'content-type': type })
      answer({ body, response })
    })
  })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const chat = await Conversing.open(t, openai({ model: 'm', baseUrl: `http://127.0.0.1:${port}/v1`, timeoutMs: 3_600_000, ...options }))
  return { chat, asked }
}

test('a stream that ends cleanly without a reason has been cut, though it told what it used', async (t) => {
  const { chat } = await serve(t, ({ response }) => response.end(chunk({ content: 'half an ans' }, null, USAGE) + DONE))
  const client = await chat.turn('go')
  t.match(completeOf(client), { reason: 'failed', error: { code: 'MODEL_CUT' } })
  t.strictSame(texts(client), ['half an ans'], 'what was said is kept')
})

for (const reason of ['insufficient_system_resource', 'malformed_function_call', 'something_new']) {
  test(`an answer that ends for the reason "${reason}" is no success`, async (t) => {
    const { chat } = await serve(t, ({ response }) => response.end(chunk({ content: 'some' }) + chunk({}, reason) + DONE))
    t.match(completeOf(await chat.turn('go')), { reason: 'failed', error: { code: 'MODEL_FAILED' } })
  })
}

for (const reason of ['stop', 'STOP', 'end_turn', 'eos', 'COMPLETE']) {
  test(`an answer that ends for the reason "${reason}" is whole`, async (t) => {
    const { chat } = await serve(t, ({ response }) => response.end(chunk({ content: 'all' }) + chunk({}, reason) + DONE))
    t.match(completeOf(await chat.turn('go')), { reason: 'finished' })
  })
}

test('a service that says its last word and leaves the connection open is not waited for', async (t) => {
  const { chat } = await serve(t, ({ response }) => { response.write(chunk({ content: 'all' }) + chunk({}, 'stop') + chunk({}, null, { choices: [], ...USAGE })) })
  const client = await chat.turn('go')
  t.match(completeOf(client), { reason: 'finished', usage: { totalTokens: 2 } })
  t.strictSame(texts(client), ['all'])
})

test('a reason that more words follow is none', async (t) => {
  const { chat } = await serve(t, ({ response }) => { response.end(chunk({ content: 'one ' }, 'stop') + chunk({ content: 'two' })) })
  t.match(completeOf(await chat.turn('go')), { reason: 'failed', error: { code: 'MODEL_CUT' } })
  const { chat: other } = await serve(t, ({ response }) => { response.end(chunk({ content: 'one ' }, 'stop') + chunk({ content: 'two' }, 'stop') + DONE) })
  t.strictSame(texts(await other.turn('go')), ['one two'])
})

test('a service that says it is done, without a reason and without hanging up, is cut at once', async (t) => {
  const { chat } = await serve(t, ({ response }) => { response.write(chunk({ content: 'half' }) + 'data: [DONE]\n') })
  const client = await chat.turn('go')
  t.match(completeOf(client), { reason: 'failed', error: { code: 'MODEL_CUT' } })
  t.strictSame(texts(client), ['half'], 'what was said is kept')
})

test('after runs that failed or said nothing, no two messages of the user are sent in a row', async (t) => {
  const { chat, asked } = await serve(t, ({ body, response }) => {
    const newest = String(body.messages.at(-1)!.content)
    if (newest === 'one') response.destroy()
    else response.end((newest.endsWith('two') ? '' : chunk({ content: 'hi' })) + chunk({}, 'stop') + DONE)
  })
  for (const text of ['one', 'two', 'three', 'four']) await chat.turn(text)
  t.strictSame(asked.at(-1)!.messages, [{ role: 'user', content: 'one\n\ntwo\n\nthree' }, { role: 'assistant', content: 'hi' }, { role: 'user', content: 'four' }])
})

test('keep-alives of all forms are no part of a stream', async (t) => {
  const { chat } = await serve(t, ({ response }) => {
    response.write(': OPENROUTER PROCESSING\n\n:\n\ndata:\n\ndata: \n\ndata: null\n\ndata: ping\r\n\r\nevent: ping\ndata: {"type":"ping"}\n\ndata: {}\n\ndata: {"choices":null}\n\n')
    response.write(chunk({ content: 'all' }) + 'da')
    response.write('ta:\n\n' + chunk({}, null, { choices: [{ index: 0, delta: null }] }))
    response.end(chunk({}, 'stop') + DONE)
  })
  const client = await chat.turn('go')
  t.match(completeOf(client), { reason: 'finished' })
  t.strictSame(texts(client), ['all'])
})

test('a service that does not stream is read whole; one that answers with an error in it fails', async (t) => {
  const whole = { choices: [{ index: 0, message: { role: 'assistant', content: 'all' }, finish_reason: 'stop' }], ...USAGE }
  const { chat } = await serve(t, ({ response }) => response.end(JSON.stringify(whole)), { type: 'application/json' })
  const client = await chat.turn('go')
  t.match(completeOf(client), { reason: 'finished', usage: { totalTokens: 2 } })
  t.strictSame(texts(client), ['all'])
  const failing = await serve(t, ({ response }) => response.end('{"error":{"message":"no"}}'), { type: 'application/json; charset=utf-8' })
  t.match(completeOf(await failing.chat.turn('go')), { reason: 'failed', error: { code: 'MODEL_FAILED' } })
})

test('a page in place of a model service is a wrong address', async (t) => {
  const { chat } = await serve(t, ({ response }) => response.end('<!doctype html>'), { type: 'text/html' })
  t.match(completeOf(await chat.turn('go')), { error: { code: 'MODEL_NOT_FOUND', message: 'What answers is no model service: its address (baseUrl) is wrong.' } })
})

test('what a model has to see again of its calls goes back in later runs, to that model only', async (t) => {
  const tools = { look: { description: 'Looks.', parameters: { type: 'object' }, execute: () => 'seen' } }
  const { chat, asked } = await serve(t, ({ body, response }) => {
    if (body.messages.at(-1)!.content !== 'look') return response.end(chunk({ content: 'hi' }) + chunk({}, 'stop') + DONE)
    response.end(chunk({ reasoning_content: 'Hm.' }) + chunk({ tool_calls: [{ index: 0, id: 'a', extra_content: { google: { thought_signature: 'c2ln' } }, function: { name: 'look', arguments: '{}' } }] }) + chunk({}, 'tool_calls') + DONE)
  }, { options: { tools, models: ['other'] } })
  await chat.turn('look')
  await chat.turn('and?')
  t.match(asked.at(-1)!.messages[1], { role: 'assistant', reasoning_content: 'Hm.', tool_calls: [{ extra_content: { google: { thought_signature: 'c2ln' } }, function: { name: 'look' } }] })
  await chat.turn('and now?', { model: 'other' })
  t.notMatch(JSON.stringify(asked.at(-1)!.messages), /reasoning_content|thought_signature/)
})

// As the services wrote them in public reports.
for (const [what, status, body, code] of [
  ['OpenAI: context', 400, { message: 'This model\'s maximum context length is 128000 tokens. However, your messages resulted in 130112 tokens.', code: 'context_length_exceeded' }, 'MODEL_CONTEXT_TOO_LONG'],
  ['Anthropic: context', 400, { message: 'prompt is too long: 210000 tokens > 200000 maximum' }, 'MODEL_CONTEXT_TOO_LONG'],
  ['Anthropic: context and answer', 400, { message: 'input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000' }, 'MODEL_CONTEXT_TOO_LONG'],
  ['Google: context', 400, { message: 'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).' }, 'MODEL_CONTEXT_TOO_LONG'],
  ['Mistral: context', 400, { message: 'Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length' }, 'MODEL_CONTEXT_TOO_LONG'],
  ['Groq: context', 400, { message: 'Please reduce the length of the messages or completion.' }, 'MODEL_CONTEXT_TOO_LONG'],
  ['xAI: context', 400, { message: 'This model\'s maximum prompt length is 131072 but the request contains 140000 tokens.' }, 'MODEL_CONTEXT_TOO_LONG'],
  ['Bedrock: context', 400, { message: 'Input is too long for requested model.' }, 'MODEL_CONTEXT_TOO_LONG'],
  ['Moonshot: context', 400, { message: 'Invalid request: Your request exceeded model token limit: 8192' }, 'MODEL_CONTEXT_TOO_LONG'],
  ['llama.cpp: context', 400, { message: 'the request exceeds the available context size, try increasing it' }, 'MODEL_CONTEXT_TOO_LONG'],
  ['Azure: filter', 400, { message: 'The response was filtered due to the prompt triggering Azure OpenAI\'s content management policy.', code: 'content_filter' }, 'MODEL_CONTENT_FILTER'],
  ['DashScope: filter', 400, { message: 'Input data may contain inappropriate content.', code: 'data_inspection_failed' }, 'MODEL_CONTENT_FILTER'],
  ['OpenRouter: moderation', 403, { message: 'Input was flagged for "violence".' }, 'MODEL_CONTENT_FILTER'],
  ['OpenAI: quota', 429, { message: 'You exceeded your current quota, please check your plan and billing details.', code: 'insufficient_quota' }, 'MODEL_QUOTA_EXCEEDED'],
  ['DeepSeek: balance', 402, { message: 'Insufficient Balance' }, 'MODEL_QUOTA_EXCEEDED'],
  ['Anthropic: balance', 400, { message: 'Your credit balance is too low to access the Anthropic API.' }, 'MODEL_QUOTA_EXCEEDED'],
  ['Anthropic: image', 400, { message: 'messages.0.content.1.image.source.base64: image exceeds 5 MB maximum' }, 'MODEL_FAILED'],
  ['any: address', 405, { message: 'Method Not Allowed' }, 'MODEL_NOT_FOUND'],
  ['any: overloaded', 529, { message: 'Overloaded' }, 'MODEL_FAILED']
] as Array<[string, number, { message: string, code?: string }, string]>) {
  test(`${what} is ${code}`, (t) => {
    const error = modelError(status, { detail: `${body.code ?? ''} ${body.message}`, model: 'm' })
    t.equal(error.code, code)
    t.notOk(error.message.includes(body.message), 'in our words')
    t.end()
  })
}
