/* The fake model is believed by other tests: here it is held against the SDKs of the real services, and their wire. */
import OpenAI from 'openai'
import { test } from 'tap'
import { FakeModel } from '../helpers/fake-model.ts'

const tools = [{ type: 'function' as const, function: { name: 'look' } }, { type: 'function' as const, function: { name: 'bash' } }]
const sdk = (model: FakeModel) => new OpenAI({ baseURL: model.openaiUrl, apiKey: 'key', maxRetries: 0 })

/** The frames of a stream, or the body, as posted for. */
async function post (url: string, body: unknown) {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  const text = await response.text()
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return { status: response.status, body: JSON.parse(text), frames: [] }
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- wire
  const frames: any[] = text.split(/\r?\n\r?\n/).flatMap((frame) => /^data: (\{.*)$/m.exec(frame)?.[1] ?? []).map((data) => JSON.parse(data))
  return { status: response.status, body: null, frames }
}

test('chat completions: words, turns, reasoning and usage, streamed or not', async (t) => {
  const model = await FakeModel.open(t)
  const client = sdk(model)
  const messages = [{ role: 'user' as const, content: 'one' }, { role: 'assistant' as const, content: 'yes' }, { role: 'user' as const, content: [{ type: 'text' as const, text: 'THINK hard' }] }]
  const stream = await client.chat.completions.create({ model: 'm', messages, stream: true, stream_options: { include_usage: true } })
  let [text, reasoning, deltas] = ['', '', 0]
  let usage: unknown
  for await (const { choices: [choice], usage: sum } of stream) {
    if (choice?.delta.content) deltas++
    text += choice?.delta.content ?? ''
    reasoning += (choice?.delta as { reasoning_content?: string } | undefined)?.reasoning_content ?? ''
    usage = sum ?? usage
  }
  t.equal(text, 'You said: hard (turn 2)')
  t.ok(deltas > 2)
  t.equal(reasoning, 'Let me think about: hard')
  t.match(usage, { prompt_tokens: 20, completion_tokens: 10, completion_tokens_details: { reasoning_tokens: 5 } })
  const whole = await client.chat.completions.create({ model: 'm', messages })
  t.match(whole.choices[0], { message: { role: 'assistant', content: text }, finish_reason: 'stop' })
  t.match(model.requests.map(({ api, state, said }) => [api, state, said]), Array(2).fill(['openai-chat', 'answered', 'THINK hard']))
})

test('chat completions: a tool is called, its result quoted, and a call without a result refused', async (t) => {
  const model = await FakeModel.open(t)
  const runner = sdk(model).chat.completions.stream({ model: 'm', tools, messages: [{ role: 'user', content: 'USE_TOOL {"command":"echo 12345"}' }] })
  const asked = (await runner.finalChatCompletion()).choices[0]!
  t.match(asked, { finish_reason: 'tool_calls', message: { tool_calls: [{ type: 'function', function: { name: 'bash', arguments: '{"command":"echo 12345"}' } }] } })
  const messages = [{ role: 'user' as const, content: 'USE_TOOL {}' }, { role: 'assistant' as const, tool_calls: [{ id: 'c', type: 'function' as const, function: { name: 'bash', arguments: '{}' } }] }]
  const done = await sdk(model).chat.completions.create({ model: 'm', tools, messages: [...messages, { role: 'tool', tool_call_id: 'c', content: '12345' }] })
  t.equal(done.choices[0]!.message.content, 'The tool said: 12345')
  await t.rejects(sdk(model).chat.completions.create({ model: 'm', tools, messages: [...messages, { role: 'user', content: 'well?' }] }), { status: 400, message: /must be followed by tool messages/ })
})

test('responses: text, reasoning and calls, as the SDK puts them together', async (t) => {
  const client = sdk(await FakeModel.open(t))
  const said = await client.responses.stream({ model: 'm', input: 'THINK hard' }).finalResponse()
  t.equal(said.output_text, 'You said: hard (turn 1)')
  t.match(said, { status: 'completed', output: [{ type: 'reasoning', summary: [{ text: 'Let me think about: hard' }] }, { type: 'message' }], usage: { input_tokens: 10 } })
  const input = [{ role: 'user' as const, content: 'USE_TOOL {"command":"ls"}' }]
  const called = await client.responses.stream({ model: 'm', input, tools: [{ type: 'function', name: 'shell', parameters: {}, strict: false }] }).finalResponse()
  const call = called.output.at(-1)!
  t.match(call, { type: 'function_call', name: 'shell', arguments: '{"command":"ls"}' })
  const { call_id: id } = call as { call_id: string }
  const last = await client.responses.create({ model: 'm', input: [...input, { type: 'function_call', call_id: id, name: 'shell', arguments: '{}' }, { type: 'function_call_output', call_id: id, output: 'a.txt' }] })
  t.equal(last.output_text, 'The tool said: a.txt')
})

test('messages of Anthropic: blocks open, grow and close; what the agent adds in tags is not the user\'s', async (t) => {
  const model = await FakeModel.open(t)
  const messages = [{ role: 'user', content: [{ type: 'text', text: '<system-reminder>Be kind.</system-reminder>' }, { type: 'text', text: 'THINK hard' }] }]
  const { frames } = await post(`${model.url}/v1/messages?beta=true`, { model: 'm', stream: true, messages })
  t.strictSame(frames.map(({ type }) => type).filter((type, i, all) => type !== all[i - 1]), [
    'message_start', 'ping', 'content_block_start', 'content_block_delta', 'content_block_stop', 'content_block_start', 'content_block_delta', 'content_block_stop', 'message_delta', 'message_stop'
  ])
  t.equal(frames.map(({ delta }) => delta?.text ?? '').join(''), 'You said: hard (turn 1)')
  const asking = { model: 'm', tools: [{ name: 'Read' }, { name: 'Bash' }], messages: [{ role: 'user', content: 'USE_TOOL {"command":"ls"}' }] }
  const asked = await post(`${model.url}/v1/messages`, asking)
  t.match(asked.body, { content: [{ type: 'text' }, { type: 'tool_use', name: 'Bash', input: { command: 'ls' } }], stop_reason: 'tool_use' })
  const streamed = (await post(`${model.url}/v1/messages`, { ...asking, stream: true })).frames
  t.equal(streamed.map(({ delta }) => delta?.partial_json ?? '').join(''), '{"command":"ls"}')
  const answered = [...asking.messages, { role: 'assistant', content: asked.body.content }, { role: 'user', content: [{ type: 'tool_result', tool_use_id: asked.body.content[1].id, content: [{ type: 'text', text: 'a.txt' }] }] }]
  t.match((await post(`${model.url}/v1/messages`, { ...asking, messages: answered })).body, { content: [{ text: 'The tool said: a.txt' }], stop_reason: 'end_turn' })
  t.match((await post(`${model.url}/v1/messages`, { ...asking, messages: [...answered.slice(0, 2), { role: 'user', content: 'well?' }] })).body, { type: 'error', error: { type: 'invalid_request_error' } })
  t.match((await post(`${model.url}/v1/messages/count_tokens`, asking)).body, { input_tokens: Number })
})

test('Gemini: parts, thoughts and function calls', async (t) => {
  const model = await FakeModel.open(t)
  const url = `${model.url}/v1beta/models/gemini-x`
  const { frames } = await post(`${url}:streamGenerateContent?alt=sse`, { contents: [{ role: 'user', parts: [{ text: 'THINK hard' }] }] })
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- wire
  const parts: any[] = frames.flatMap((frame) => frame.candidates[0].content.parts)
  t.equal(parts.filter(({ thought }) => thought === undefined).map(({ text }) => text).join(''), 'You said: hard (turn 1)')
  t.match(frames.at(-1), { candidates: [{ finishReason: 'STOP' }], modelVersion: 'gemini-x', usageMetadata: { thoughtsTokenCount: 5 } })
  const contents = [{ role: 'user', parts: [{ text: 'USE_TOOL {"command":"ls"}' }] }]
  const asked = (await post(`${url}:generateContent`, { contents, tools: [{ functionDeclarations: [{ name: 'run_shell_command' }] }] })).body
  const call = asked.candidates[0].content.parts.at(-1)
  t.match(call, { functionCall: { name: 'run_shell_command', args: { command: 'ls' } } })
  const answered = [...contents, { role: 'model', parts: [call] }, { role: 'user', parts: [{ functionResponse: { id: call.functionCall.id, name: 'run_shell_command', response: { output: 'a.txt' } } }] }]
  t.match((await post(`${url}:generateContent`, { contents: answered })).body, { candidates: [{ content: { parts: [{ text: 'The tool said: a.txt' }] } }] })
})

test('it fails as it is told, with the service\'s own words', async (t) => {
  const model = await FakeModel.open(t)
  const say = (content: string) => sdk(model).chat.completions.create({ model: 'm', messages: [{ role: 'user', content }] })
  await t.rejects(say('FAIL 401'), { status: 401, code: 'invalid_api_key', message: /Bearer key/ })
  await t.rejects(say('FAIL 429 once'), { status: 429, code: 'rate_limit_exceeded', message: /429/ })
  t.match(await say('FAIL 429 once'), { choices: [{ message: { content: 'Better now.' } }] })
  t.match((await post(`${model.url}/v1/messages`, { model: 'm', messages: [{ role: 'user', content: 'FAIL 529' }] })).body, { error: { type: 'overloaded_error' } })
  t.match((await post(`${model.url}/v1beta/models/m:generateContent`, { contents: 'FAIL 429' })).body, { error: { code: 429, status: 'RESOURCE_EXHAUSTED' } })
})

test('it speaks without end until its client goes, is cut or is killed, and knows which connections are gone', async (t) => {
  const model = await FakeModel.open(t)
  const open = async (content: string) => {
    const stream = await sdk(model).chat.completions.create({ model: 'm', stream: true, messages: [{ role: 'user', content }] })
    const chunks = stream[Symbol.asyncIterator]()
    await chunks.next()
    const drained = async () => { while ((await chunks.next()).done !== true); }
    return { stream, drained }
  }
  const left = await open('SLOW left')
  left.stream.controller.abort()
  await model.until(({ requests }) => requests[0]?.state === 'closed')
  const cut = await open('SLOW cut')
  model.cut()
  await t.rejects(cut.drained())
  await model.until(({ last }) => last.state === 'closed')
  await t.rejects((await open('CUT short')).drained())
  await t.rejects((await open('BREAK off')).drained(), { message: /overloaded/ })
  const killed = await open('SLOW killed')
  model.kill()
  await t.rejects(killed.drained())
  await model.until(({ openConnections }) => openConnections === 0)
  t.ok(model.closedConnections >= 4)
  await t.rejects(fetch(model.url))
})
