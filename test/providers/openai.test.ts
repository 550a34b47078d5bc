import { test, type Test } from 'tap'
import { ProviderError } from '../../index.ts'
import { openai, type OpenAiOptions, type Tool } from '../../providers/openai/index.ts'
import { completeOf, Conversing, deltas, durableKinds, texts } from '../helpers/conversing.ts'
import { FakeModel } from '../helpers/fake-model.ts'
import { postJson } from '../helpers/read-sse.ts'

const KEY = 'sk-very-secret-0123456789'

async function converse (t: Test, options: Partial<OpenAiOptions> = {}) {
  const model = await FakeModel.open(t)
  const chat = await Conversing.open(t, openai({ model: 'fake', baseUrl: model.openaiUrl, apiKey: KEY, timeoutMs: 30_000, ...options }))
  return { model, chat }
}

/** A tool that answers what it was given. */
const echoing = (more: Partial<Tool> = {}): Record<string, Tool> => ({
  run_it: { description: 'Runs it.', parameters: { type: 'object', properties: { command: { type: 'string' } } }, execute: ({ command }: { command: string }) => ({ ran: command }), ...more }
})

const results = (client: Awaited<ReturnType<Conversing['turn']>>) => client.events.flatMap((event) => event.kind === 'tool_result' ? [event.toolResult] : [])

test('an answer streams as deltas of one message, becomes one text, and says what it cost', async (t) => {
  const { model, chat } = await converse(t, { system: 'Be kind.', headers: { 'x-team': 'blue' } })
  const client = await chat.turn('hello there')
  t.equal(deltas(client), 'You said: hello there (turn 1)')
  const messageIds = new Set(client.events.flatMap((event) => event.kind === 'stream_delta' ? [event.messageId] : []))
  t.equal(messageIds.size, 1)
  t.match(client.events.slice(-3), [
    { kind: 'stream_end' }, { kind: 'text', role: 'assistant', messageId: [...messageIds][0], content: 'You said: hello there (turn 1)' }, { kind: 'complete', exitCode: 0, reason: 'finished' }
  ])
  t.strictSame(completeOf(client).usage, { inputTokens: 10, outputTokens: 6, totalTokens: 16 })
  t.match(model.last.headers, { authorization: `Bearer ${KEY}`, 'x-team': 'blue' })
  t.strictSame(model.last.body, {
    model: 'fake', messages: [{ role: 'system', content: 'Be kind.' }, { role: 'user', content: 'hello there' }], stream: true, stream_options: { include_usage: true }
  })
})

test('the model is sent the whole conversation, with what an aborted run had said', async (t) => {
  const { model, chat } = await converse(t)
  await chat.turn('one')
  const slow = await chat.say('SLOW two')
  await slow.until((client) => deltas(client).includes('(turn 2) 1'))
  await chat.abort()
  await model.until(({ last }) => last.state === 'closed')
  await slow.ended()
  const client = await chat.turn('three')
  t.equal(deltas(client), 'You said: three (turn 3)')
  const { messages } = model.last.body
  t.strictSame(messages.filter((_: unknown, i: number) => i !== 3), [
    { role: 'user', content: 'one' }, { role: 'assistant', content: 'You said: one (turn 1)' }, { role: 'user', content: 'SLOW two' }, { role: 'user', content: 'three' }
  ])
  t.match(messages[3], { role: 'assistant', content: /^You said: two \(turn 2\) 1/ })
})

for (const name of ['deepseek', 'openrouter/deepseek']) {
  test(`reasoning of ${name} streams as thinking, before the text, and is not sent back`, async (t) => {
    const { model, chat } = await converse(t, { model: name })
    const client = await chat.turn('THINK about it')
    t.equal(deltas(client, 'thinking_delta'), 'Let me think about: about it')
    t.strictSame(durableKinds(client), ['text', 'thinking', 'text', 'complete'])
    t.match(completeOf(client).usage, { reasoningTokens: 6 })
    await chat.turn('and?')
    t.strictSame(model.last.body.messages[1], { role: 'assistant', content: 'You said: about it (turn 1)' })
  })
}

test('images go as data or by their address; what the model does not take is refused, and passed over later', async (t) => {
  const { model, chat } = await converse(t)
  const text = { type: 'text', text: 'look' }
  await chat.turn([text, { type: 'image', mimeType: 'image/png', data: 'iVBORw0KGgo=' }, { type: 'image', mimeType: 'image/jpeg', url: 'https://example.com/a.jpg' }])
  const shown = [text, { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } }, { type: 'image_url', image_url: { url: 'https://example.com/a.jpg' } }]
  t.strictSame(model.last.body.messages, [{ role: 'user', content: shown }])
  const refused = await chat.turn([{ type: 'file', mimeType: 'application/pdf', data: 'JVBERg==', name: 'a.pdf' }])
  t.match(completeOf(refused), { exitCode: 1, error: { code: 'UNSUPPORTED_CONTENT', message: 'The model takes no file (application/pdf) in a message.' } })
  t.equal(model.requests.length, 1)
  t.equal(deltas(await chat.turn('on')), 'You said: on (turn 2)')
  t.strictSame(model.last.body.messages.slice(2), [{ role: 'user', content: [{ type: 'text', text: '[file (application/pdf), not shown]' }, { type: 'text', text: 'on' }] }])
})

test('files and sound go to an endpoint that takes them', async (t) => {
  const { model, chat } = await converse(t, { accepts: ['file', 'audio'] })
  await chat.turn([{ type: 'file', mimeType: 'application/pdf', data: 'JVBERg==', name: 'a.pdf' }, { type: 'file', mimeType: 'audio/mpeg', data: 'SUQz' }])
  t.strictSame(model.last.body.messages[0].content, [
    { type: 'file', file: { file_data: 'data:application/pdf;base64,JVBERg==', filename: 'a.pdf' } }, { type: 'input_audio', input_audio: { data: 'SUQz', format: 'mp3' } }
  ])
  t.match(completeOf(await chat.turn([{ type: 'image', mimeType: 'image/png', data: 'AAAA' }])), { error: { code: 'UNSUPPORTED_CONTENT' } })
})

test('a tool that the model calls is run, and the model goes on with its result', async (t) => {
  const { model, chat } = await converse(t, { tools: echoing() })
  const client = await chat.turn('USE_TOOL {"command":"ls"}')
  t.strictSame(durableKinds(client), ['text', 'text', 'tool_use', 'tool_result', 'text', 'complete'])
  const [use, result] = client.events.filter(({ kind }) => kind.startsWith('tool_')) as unknown as Array<Record<string, unknown>>
  t.match(use, { toolId: /^[A-Za-z0-9]{9}$/, toolName: 'run_it', toolInput: { command: 'ls' } })
  t.match(result, { toolId: use!['toolId'], toolResult: { content: { ran: 'ls' }, isError: false } })
  t.strictSame(texts(client), ['Let me see. ', 'The tool said: {"ran":"ls"}'])
  t.strictSame(completeOf(client).usage, { inputTokens: 20, outputTokens: 8, totalTokens: 28 }, 'the sum of both steps')
  const called = { role: 'assistant', content: 'Let me see. ', tool_calls: [{ id: use!['toolId'], type: 'function', function: { name: 'run_it', arguments: '{"command":"ls"}' } }] }
  const answered = { role: 'tool', tool_call_id: use!['toolId'], content: '{"ran":"ls"}' }
  t.strictSame(model.last.body.messages.slice(1), [called, answered])
  t.strictSame(model.last.body.tools, [{ type: 'function', function: { name: 'run_it', description: 'Runs it.', parameters: { type: 'object', properties: { command: { type: 'string' } } } } }])
  await chat.turn('thanks')
  t.strictSame(model.last.body.messages.slice(1, 3), [called, answered], 'the log brings back the same')
})

test('calls that are made at once run at once, and the model gets their results in its order', async (t) => {
  let second!: () => void
  const secondRan = new Promise<void>((resolve) => { second = resolve })
  const execute = async ({ n }: { n: number }) => {
    if (n === 1) await secondRan
    else second()
    return `result ${n}`
  }
  const { model, chat } = await converse(t, { tools: echoing({ execute }) })
  const client = await chat.turn('USE_TOOL [{"n":1},{"n":2}]')
  t.strictSame(results(client).map(({ content }) => content), ['result 2', 'result 1'])
  t.strictSame(texts(client).at(-1), 'The tool said: result 1 The tool said: result 2')
  t.equal(new Set(model.last.body.messages[1].tool_calls.map(({ id }: { id: string }) => id)).size, 2)
})

test('a tool that needs approval waits for it; what was changed on the way is what it gets, and what the log says', async (t) => {
  const { chat } = await converse(t, { tools: echoing({ needsApproval: ({ command }: { command: string }) => command !== 'ls' }) })
  const client = await chat.say('USE_TOOL {"command":"rm"}')
  t.match(await client.frame('permission_request'), { toolName: 'run_it', input: { command: 'rm' }, toolId: String })
  t.notOk(client.kinds.includes('tool_result'))
  await chat.decide(client, { allow: true, updatedInput: { command: 'rm -i' } })
  await client.ended()
  t.strictSame(durableKinds(client), ['text', 'text', 'tool_use', 'permission_request', 'permission_resolved', 'tool_use', 'tool_result', 'text', 'complete'])
  t.match(client.events.findLast(({ kind }) => kind === 'tool_use'), { toolInput: { command: 'rm -i' } })
  t.strictSame(results(client), [{ content: { ran: 'rm -i' }, isError: false }])
  t.notOk((await chat.turn('USE_TOOL {"command":"ls"}')).kinds.includes('permission_request'), 'this one needs none')
})

test('a refused tool does not run; the model reads why', async (t) => {
  let ran = false
  const { chat } = await converse(t, { tools: echoing({ needsApproval: true, execute: () => { ran = true } }) })
  const client = await chat.say('USE_TOOL {"command":"rm"}')
  await client.frame('permission_request')
  await chat.decide(client, { allow: false, message: 'Not on a Friday.' })
  await client.ended()
  t.strictSame(results(client), [{ content: 'Not on a Friday.', isError: true }])
  t.equal(texts(client).at(-1), 'The tool said: Not on a Friday.')
  t.equal(ran, false)
})

test('aborting while a tool waits for approval, or works, ends the run and tells the tool', async (t) => {
  let told!: () => void
  const stopped = new Promise<void>((resolve) => { told = resolve })
  const execute = (_: unknown, { signal }: { signal: AbortSignal }) => new Promise(() => { signal.addEventListener('abort', told) })
  const { model, chat } = await converse(t, { tools: echoing({ execute, needsApproval: ({ ask }: { ask?: boolean }) => ask === true }) })
  const waiting = await chat.say('USE_TOOL {"ask":true}')
  await waiting.frame('permission_request')
  t.match((await chat.abort()).body, { reason: 'aborted' })
  const working = await chat.say('USE_TOOL {}')
  await working.frame('tool_use')
  await chat.abort()
  await stopped
  t.equal(deltas(await chat.turn('well?')), 'You said: well? (turn 3)')
  t.match(model.last.body.messages[2], { role: 'tool', content: 'The tool was interrupted, and has no result.' })
})

test('what goes wrong in a tool is the model\'s to read, but no secret', async (t) => {
  const errors: Record<string, () => unknown> = {
    '{"n":1}': () => { throw new Error('password is hunter2') },
    '{"n":2}': () => { throw new ProviderError('There is no such file.') },
    '{"n":3}': () => 1n,
    '{"n":4}': () => undefined
  }
  const { chat } = await converse(t, { tools: echoing({ execute: (input: unknown) => errors[JSON.stringify(input)]!() }) })
  const client = await chat.turn('USE_TOOL [{"n":1},{"n":2},{"n":3},{"n":4}]')
  t.strictSame(results(client).map(({ content }) => content).sort(), ['The tool failed.', 'The tool failed.', 'There is no such file.', null].sort())
  t.notOk(client.raw.includes('hunter2'))
  const unknown = await chat.turn('USE_TOOL:nonsense {}')
  t.strictSame(results(unknown), [{ content: 'There is no tool "nonsense".', isError: true }])
  const odd = await chat.turn('USE_TOOL "not an object"')
  t.strictSame(results(odd), [{ content: 'The arguments are not the JSON of an object.', isError: true }])
})

test('a model that does not stop calling is stopped', async (t) => {
  const { model, chat } = await converse(t, { tools: echoing(), maxSteps: 3 })
  t.match(completeOf(await chat.turn('LOOP {"command":"ls"}')), { exitCode: 1, error: { code: 'MODEL_TOO_MANY_STEPS' }, usage: { inputTokens: 30 } })
  t.equal(model.requests.length, 3)
})

for (const [how, message] of [['while the model speaks', 'SLOW going'], ['while it is silent', 'HANG going']] as const) {
  test(`an abort ${how} closes the request to the model at once, and keeps what was said`, async (t) => {
    const { model, chat } = await converse(t, { timeoutMs: 1e9 })
    const client = await chat.say(message)
    await client.until((client) => deltas(client).includes('(turn 1)'))
    t.equal(model.last.state, 'open')
    await chat.abort()
    await model.until(({ last, openConnections }) => last.state === 'closed' && openConnections === 0)
    await client.ended()
    t.match(client.events.slice(-2), [{ kind: 'text', content: /^You said: going \(turn 1\)/ }, { kind: 'complete', reason: 'aborted' }])
  })
}

for (const [what, code] of Object.entries({ 401: 'MODEL_UNAUTHORIZED', 403: 'MODEL_UNAUTHORIZED', 404: 'MODEL_NOT_FOUND', 429: 'MODEL_RATE_LIMITED', 400: 'MODEL_FAILED', 500: 'MODEL_FAILED' })) {
  test(`a ${what} of the endpoint is ${code}, in words that give nothing away`, async (t) => {
    const { model, chat } = await converse(t)
    const client = await chat.turn(`FAIL ${what} final`)
    t.match(completeOf(client), { exitCode: 1, reason: 'failed', error: { code, message: /^The model service/ } })
    t.equal(model.requests.length, 1)
    t.notOk(client.raw.includes(KEY) || client.raw.includes('Incorrect API key'))
  })
}

test('what passes is tried again, before anything was said', async (t) => {
  const { model, chat } = await converse(t)
  t.equal(deltas(await chat.turn('FAIL 503 once')), 'Better now.')
  t.equal(model.requests.length, 2)
})

for (const [how, strike, code] of [
  ['whose connection breaks', (model: FakeModel) => model.cut(), 'MODEL_CUT'],
  ['that is killed', (model: FakeModel) => model.kill(), 'MODEL_CUT']
] as const) {
  test(`a model ${how} in the middle fails the run once, and what it said is kept`, async (t) => {
    const { model, chat } = await converse(t)
    const client = await chat.say('SLOW going')
    await client.until((client) => deltas(client).includes('(turn 1) 1'))
    strike(model)
    await client.ended()
    t.match(client.events.slice(-2), [{ kind: 'text', content: /^You said: going \(turn 1\) 1/ }, { kind: 'complete', exitCode: 1, reason: 'failed', error: { code } }])
    t.equal(client.kinds.filter((kind) => kind === 'complete').length, 1)
    t.equal(model.requests.length, 1, 'it was not asked again')
  })
}

test('a stream that breaks off or reports an error is a failure; so is a model that cannot be reached or says nothing', async (t) => {
  const { model, chat } = await converse(t, { timeoutMs: 2_000 })
  t.match(completeOf(await chat.turn('CUT it')), { exitCode: 1, error: { code: 'MODEL_CUT' } })
  t.match(completeOf(await chat.turn('BREAK it')), { exitCode: 1, error: { code: 'MODEL_FAILED', message: 'The model service failed in the middle of its answer.' } })
  t.match(completeOf(await chat.turn('HANG there')), { exitCode: 1, error: { code: 'MODEL_CUT', message: 'The model fell silent in the middle of its answer.' } })
  model.kill()
  t.match(completeOf(await chat.turn('hello')), { exitCode: 1, error: { code: 'MODEL_UNREACHABLE' } })
})

for (const [reason, code] of [['length', 'MODEL_LENGTH'], ['content_filter', 'MODEL_CONTENT_FILTER']]) {
  test(`an answer that ends for its ${reason} has failed, is kept, and has cost`, async (t) => {
    const { chat } = await converse(t)
    const client = await chat.turn(`STOP ${reason} cut here`)
    t.strictSame(texts(client), ['You said: cut here (turn 1)'])
    t.match(completeOf(client), { exitCode: 1, error: { code }, usage: { inputTokens: 10 } })
  })
}

test('clients can choose among the models that are named, and set nothing else', async (t) => {
  const { model, chat } = await converse(t, { models: ['big', 'small'] })
  for (const name of ['big', 'fake']) {
    await chat.turn('hi', { model: name })
    t.equal(model.last.body.model, name)
  }
  const refused = async (url: string, options: unknown) => (await postJson(`${url}/sessions/s/messages`, { content: 'hi', options })).body['code']
  for (const options of [{ model: 'huge' }, { temperature: 2 }, { model: 'big', apiKey: 'x' }]) t.equal(await refused(chat.url, options), 'INVALID_OPTIONS')
  const closed = await converse(t)
  t.equal(await refused(closed.chat.url, { model: 'fake' }), 'INVALID_OPTIONS')
  t.equal(model.requests.length, 2)
})

test('the app may trim what is sent, before each request', async (t) => {
  const { model, chat } = await converse(t, { system: 'Be kind.', messages: (messages) => [messages[0]!, ...messages.slice(-1)] })
  await chat.turn('one')
  await chat.turn('two')
  t.strictSame(model.last.body.messages, [{ role: 'system', content: 'Be kind.' }, { role: 'user', content: 'two' }])
})

test('no id of the model service and no key is on the wire, whatever happens', async (t) => {
  const { chat } = await converse(t, { tools: echoing() })
  let raw = ''
  for (const message of ['hi', 'THINK hard', 'USE_TOOL {"command":"ls"}', 'FAIL 401', 'FAIL 429 final', 'CUT it', 'BREAK it', 'STOP length x']) raw += (await chat.turn(message)).raw
  raw += await (await fetch(`${chat.url}/sessions/s/messages`)).text()
  for (const secret of [KEY, 'chatcmpl-', 'call_0', 'req_0', 'fp_fake']) t.notOk(raw.includes(secret), secret)
})

test('a conversation that is too long says so', async (t) => {
  const { modelError } = await import('../../providers/common/model-error.ts')
  t.match(modelError(400, { detail: 'This model\'s maximum context length is 8192 tokens.' }), { code: 'MODEL_CONTEXT_TOO_LONG' })
  t.match(modelError(400, { detail: 'context_length_exceeded' }), { code: 'MODEL_CONTEXT_TOO_LONG' })
  t.match(modelError(404, { model: 'x' }), { code: 'MODEL_NOT_FOUND', message: /"x"/ })
})
