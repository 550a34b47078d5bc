import { stepCountIs as stepCountIs5, streamText as streamText5, tool as tool5 } from 'ai5'
import { stepCountIs as stepCountIs6, streamText as streamText6, tool as tool6 } from 'ai6'
import { test, type Test } from 'tap'
import Type from 'typebox'
import { z } from 'zod'
import { ProviderError } from '../../index.ts'
import { aiSdk, type AiSdkOptions, type AiSdkRequest, type AiSdkResult } from '../../providers/ai-sdk/index.ts'
import { modelV2, modelV3 } from '../helpers/ai-models.ts'
import { completeOf, Conversing, deltas, durableKinds, texts } from '../helpers/conversing.ts'
import { FakeModel } from '../helpers/fake-model.ts'
import { postJson } from '../helpers/read-sse.ts'

const inputSchema = z.object({ command: z.string() })
type Input = z.infer<typeof inputSchema>

interface Tools {
  execute?: (input: Input, context: { abortSignal?: AbortSignal | undefined }) => unknown
  needsApproval?: boolean | ((input: Input) => boolean)
}

type Ask = (model: FakeModel, tools?: Tools) => (request: AiSdkRequest) => AiSdkResult | Promise<AiSdkResult>

const quiet = { onError: () => {}, maxRetries: 0 }

const VERSIONS: Record<string, Ask> = {
  5: (model, { execute = ({ command }: Input) => ({ ran: command }) } = {}) => ({ messages, signal }) => streamText5({
    model: modelV2(model.openaiUrl), messages, abortSignal: signal, stopWhen: stepCountIs5(5), tools: { run_it: tool5({ inputSchema, execute }) }, ...quiet
  }),
  6: (model, { execute = ({ command }: Input) => ({ ran: command }), needsApproval = false } = {}) => async ({ messages, signal }) => streamText6({
    model: modelV3(model.openaiUrl), messages, abortSignal: signal, stopWhen: stepCountIs6(5), tools: { run_it: tool6({ inputSchema, execute, needsApproval }) }, ...quiet
  })
}

async function converse (t: Test, ask: Ask, tools?: Tools, options: Partial<AiSdkOptions> = {}) {
  const model = await FakeModel.open(t)
  return { model, chat: await Conversing.open(t, aiSdk({ stream: ask(model, tools), ...options })) }
}

const results = (client: Awaited<ReturnType<Conversing['turn']>>) => client.events.flatMap((event) => event.kind === 'tool_result' ? [event.toolResult] : [])

for (const [version, ask] of Object.entries(VERSIONS)) {
  test(`AI SDK ${version}: an answer streams, and the next question comes with the conversation`, async (t) => {
    const { model, chat } = await converse(t, ask)
    const client = await chat.turn('THINK hard')
    t.equal(deltas(client), 'You said: hard (turn 1)')
    t.equal(deltas(client, 'thinking_delta'), 'Let me think about: hard')
    t.strictSame(durableKinds(client), ['text', 'thinking', 'text', 'complete'])
    t.strictSame(completeOf(client).usage, { inputTokens: 10, outputTokens: 10, totalTokens: 20, reasoningTokens: 5 })
    t.equal(deltas(await chat.turn('and?')), 'You said: and? (turn 2)')
    t.match(model.last.body.messages, [{ role: 'user', content: [{ text: 'THINK hard' }] }, { role: 'assistant', content: 'You said: hard (turn 1)' }, { role: 'user', content: [{ text: 'and?' }] }])
  })

  test(`AI SDK ${version}: a tool is called, its result read, and both are in the conversation afterwards`, async (t) => {
    const { model, chat } = await converse(t, ask)
    const client = await chat.turn('USE_TOOL {"command":"ls"}')
    t.strictSame(durableKinds(client), ['text', 'text', 'tool_use', 'tool_result', 'text', 'complete'])
    t.match(client.events.find(({ kind }) => kind === 'tool_use'), { toolName: 'run_it', toolInput: { command: 'ls' } })
    t.strictSame(results(client), [{ content: { ran: 'ls' }, isError: false }])
    t.strictSame(texts(client), ['Let me see. ', 'The tool said: {"ran":"ls"}'])
    t.match(completeOf(client).usage, { inputTokens: 20 })
    t.equal(deltas(await chat.turn('thanks')), 'You said: thanks (turn 2)')
    t.match(model.last.body.messages.slice(1, 4), [{ role: 'assistant', tool_calls: [{ function: { arguments: '{"command":"ls"}' } }] }, { role: 'tool', content: '{"ran":"ls"}' }, { role: 'assistant' }])
  })

  test(`AI SDK ${version}: what goes wrong in a tool is told, but no secret; the model's own mistakes are`, async (t) => {
    const execute = ({ command }: Input) => { throw command === 'ls' ? new Error('password is hunter2') : new ProviderError('There is no such file.') }
    const { chat } = await converse(t, ask, { execute })
    const client = await chat.turn('USE_TOOL [{"command":"ls"},{"command":"cat"},{"wrong":1}]')
    t.strictSame(results(client).filter(({ content }) => !/^Invalid input/.test(String(content))).map(({ content }) => content).sort(), ['The tool failed.', 'There is no such file.'])
    t.ok(results(client).some(({ content }) => /^Invalid input for tool run_it/.test(String(content))))
    t.ok(results(client).every(({ isError }) => isError))
    t.notOk(JSON.stringify(client.events.filter(({ kind }) => kind === 'tool_result')).includes('hunter2'))
  })

  test(`AI SDK ${version}: images go as data; what the SDK has no place for is refused, and passed over later`, async (t) => {
    const { model, chat } = await converse(t, ask)
    await chat.turn([{ type: 'text', text: 'look' }, { type: 'image', mimeType: 'image/png', data: 'iVBORw0KGgo=' }])
    t.match(model.last.body.messages, [{ role: 'user', content: [{ text: 'look' }, { image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } }] }])
    t.match(completeOf(await chat.turn([{ type: 'image', mimeType: 'image/png', url: 'file:///etc/passwd' }])), { error: { code: 'UNSUPPORTED_CONTENT' } })
    t.equal(deltas(await chat.turn('on')), 'You said: on (turn 2)')
  })

  test(`AI SDK ${version}: an abort in the middle closes the request to the model, and keeps what was said`, async (t) => {
    const { model, chat } = await converse(t, ask)
    const client = await chat.say('SLOW going')
    await client.until((client) => deltas(client).includes('(turn 1) 1'))
    await chat.abort()
    await model.until(({ last }) => last.state === 'closed')
    await client.ended()
    t.match(client.events.slice(-2), [{ kind: 'text', content: /^You said: going \(turn 1\) 1/ }, { kind: 'complete', reason: 'aborted' }])
  })

  test(`AI SDK ${version}: failures have codes and general words, and what was said is kept`, async (t) => {
    const { model, chat } = await converse(t, ask)
    for (const [message, code] of [['FAIL 401', 'MODEL_UNAUTHORIZED'], ['FAIL 429', 'MODEL_RATE_LIMITED'], ['FAIL 500', 'MODEL_FAILED'], ['STOP length x', 'MODEL_LENGTH'], ['BREAK it', 'MODEL_FAILED']] as const) {
      const client = await chat.turn(message)
      t.match(completeOf(client), { exitCode: 1, reason: 'failed', error: { code } }, message)
      t.notOk(/Incorrect API key|overloaded/.test(client.raw), message)
    }
    const client = await chat.say('SLOW going')
    await client.until((client) => /\(turn \d\) 1/.test(deltas(client)))
    model.kill()
    await client.ended()
    t.match(client.events.slice(-2), [{ kind: 'text', content: /^You said: going \(turn \d\) 1/ }, { kind: 'complete', exitCode: 1, error: { code: 'MODEL_CUT' } }])
  })
}

test('AI SDK 6: a tool that needs approval waits for it, several at once; those that need none do not', async (t) => {
  const { chat } = await converse(t, VERSIONS[6]!, { needsApproval: ({ command }) => command !== 'ls' })
  const client = await chat.say('USE_TOOL [{"command":"rm a"},{"command":"ls"},{"command":"rm b"}]')
  const requests = await client.until(({ kinds }) => kinds.filter((kind) => kind === 'permission_request').length === 2).then(() => client.events.filter((event) => event.kind === 'permission_request'))
  t.match(requests, [{ toolName: 'run_it', input: { command: 'rm a' } }, { toolName: 'run_it', input: { command: 'rm b' } }])
  const uses = client.events.filter((event) => event.kind === 'tool_use')
  t.strictSame(requests.map(({ toolId }) => toolId), [uses[0]!.toolId, uses[2]!.toolId])
  for (const [i, decision] of [{ allow: true }, { allow: false, message: 'Not b.' }].entries()) {
    await postJson(`${chat.url}/sessions/s/permissions/${requests[i]!.requestId}`, decision)
  }
  await client.ended()
  t.strictSame(results(client).map(({ content, isError }) => [content, isError]).sort(), [['Not b.', true], [{ ran: 'ls' }, false], [{ ran: 'rm a' }, false]].sort())
  t.match(completeOf(client), { exitCode: 0, usage: { inputTokens: 20 } })
  t.match(texts(client).at(-1), /rm a/)
  t.match(texts(client).at(-1), /Not b\./)
  t.equal(deltas(await chat.turn('thanks')), 'You said: thanks (turn 2)')
})

test('AI SDK 6: what was changed on the way is what the tool gets, and what the log says', async (t) => {
  const { chat } = await converse(t, VERSIONS[6]!, { needsApproval: true })
  const client = await chat.say('USE_TOOL {"command":"rm"}')
  await client.frame('permission_request')
  await chat.decide(client, { allow: true, updatedInput: { command: 'rm -i' } })
  await client.ended()
  t.strictSame(results(client), [{ content: { ran: 'rm -i' }, isError: false }])
  t.match(client.events.findLast(({ kind }) => kind === 'tool_use'), { toolInput: { command: 'rm -i' } })
})

test('AI SDK 6: an abort while an approval is waited for ends the run, and the next one goes on', async (t) => {
  const { model, chat } = await converse(t, VERSIONS[6]!, { needsApproval: true })
  const client = await chat.say('USE_TOOL {"command":"rm"}')
  await client.frame('permission_request')
  t.match((await chat.abort()).body, { reason: 'aborted' })
  t.equal(deltas(await chat.turn('well?')), 'You said: well? (turn 2)')
  t.match(model.last.body.messages[2], { role: 'tool', content: 'The tool was interrupted, and has no result.' })
})

test('a host may make the stream itself: sources and files become custom events, behind the text that they came in', async (t) => {
  const parts = [
    { type: 'start' }, { type: 'text-start', id: '1' }, { type: 'text-delta', id: '1', text: 'As he ' }, { type: 'source', sourceType: 'url', id: 's', url: 'https://example.com' },
    { type: 'text-delta', id: '1', text: 'says.' }, { type: 'text-end', id: '1' }, { type: 'file', file: { mediaType: 'image/png', base64: 'AAAA', uint8Array: new Uint8Array(3) } },
    { type: 'tool-call', toolCallId: 'c', toolName: 'look', input: {} }, { type: 'tool-result', toolCallId: 'c', preliminary: true, output: 'half' }, { type: 'tool-result', toolCallId: 'c', output: 'all' },
    { type: 'tool-call', toolCallId: 'c', toolName: 'look', input: {} }, { type: 'tool-result', toolCallId: 'c', output: 'again' }, { type: 'news of tomorrow' }, { type: 'finish', finishReason: 'stop', totalUsage: {} }
  ]
  const chat = await Conversing.open(t, aiSdk({ stream: () => ({ fullStream: (async function * () { yield * parts })() }) }))
  const client = await chat.turn('go')
  t.strictSame(durableKinds(client), ['text', 'text', 'custom', 'custom', 'tool_use', 'tool_result', 'tool_use', 'tool_result', 'complete'])
  t.strictSame(texts(client), ['As he says.'])
  t.match(client.events.filter(({ kind }) => kind === 'custom'), [{ name: 'source', data: { url: 'https://example.com' } }, { name: 'file', data: { mediaType: 'image/png', data: 'AAAA' } }])
  t.match(client.events.find(({ kind }) => kind === 'tool_update'), { toolId: 'c', status: 'in_progress', content: 'half' })
  t.equal(new Set(client.events.flatMap((event) => event.kind === 'tool_use' ? [event.toolId] : [])).size, 2, 'an id that comes again is another call')
  t.notOk('usage' in completeOf(client))
})

test('a stream that cannot be had, throws, or was stopped by its maker fails the run', async (t) => {
  const failing = async (stream: AiSdkOptions['stream']) => completeOf(await (await Conversing.open(t, aiSdk({ stream }))).turn('go'))
  const of = (...parts: Array<{ type: string }>) => ({ fullStream: (async function * () { yield * parts })() })
  t.match(await failing(() => { throw new Error('secret') }), { exitCode: 1, error: { code: 'MODEL_FAILED', message: 'The model failed.' } })
  t.match(await failing(async () => { throw new ProviderError('Come back tomorrow.', { code: 'CLOSED' }) }), { error: { code: 'CLOSED', message: 'Come back tomorrow.' } })
  t.match(await failing(() => of({ type: 'abort' })), { error: { code: 'MODEL_ABORTED' } })
  const unreachable = Object.assign(new Error('Cannot connect to API'), { name: 'AI_APICallError' })
  t.match(await failing(() => of({ type: 'error', error: { name: 'AI_RetryError', lastError: unreachable } } as { type: string })), { error: { code: 'MODEL_UNREACHABLE' } })
})

test('clients can set what the app lets them; the trusted context is the app\'s', async (t) => {
  const seen: unknown[] = []
  const stream: AiSdkOptions['stream'] = ({ options, content, session: { id }, context }) => {
    seen.push([options, content, id, context])
    return { fullStream: (async function * () {})() }
  }
  const chat = await Conversing.open(t, aiSdk({ stream, optionsSchema: Type.Object({ tone: Type.Literal('kind') }, { additionalProperties: false }) }))
  await chat.turn('hi', { tone: 'kind' })
  t.strictSame(seen, [[{ tone: 'kind' }, 'hi', 's', undefined]])
  t.equal((await postJson(`${chat.url}/sessions/s/messages`, { content: 'hi', options: { tone: 'rude' } })).body['code'], 'INVALID_OPTIONS')
  const closed = await Conversing.open(t, aiSdk({ stream }))
  t.equal((await postJson(`${closed.url}/sessions/s/messages`, { content: 'hi', options: { tone: 'kind' } })).body['code'], 'INVALID_OPTIONS')
})

test('a stream that ends without its finish part has been cut, and what was said is kept', async (t) => {
  async function * parts (): AsyncGenerator<{ type: string, id?: string, text?: string }> {
    yield { type: 'start' }
    yield * [{ type: 'text-start', id: '1' }, { type: 'text-delta', id: '1', text: 'half' }, { type: 'text-end', id: '1' }]
  }
  const chat = await Conversing.open(t, aiSdk({ stream: () => ({ fullStream: parts() }) }))
  const client = await chat.turn('go')
  t.match(completeOf(client), { reason: 'failed', error: { code: 'MODEL_CUT' } })
  t.strictSame(texts(client), ['half'])
})
