/* Answers as services give them that are only nearly OpenAI's. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { test, type Test } from 'tap'
import type { ProviderEvent, RunContext } from '../../index.ts'
import { silentLogger } from '../../lib/common/logger.ts'
import { openai, type OpenAiOptions } from '../../providers/openai/index.ts'
import { FakeModel } from '../helpers/fake-model.ts'

type Delta = Record<string, unknown>

/** A service that answers its requests with these deltas, one list each; it keeps what it was sent. */
async function serviceOf (t: Test, answers: Delta[][], finishReason: string | null = 'stop') {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- wire
  const bodies: any[] = []
  const server = createServer((request, response) => {
    void json(request).then((body) => answer(body, response))
  })
  const answer = (body: unknown, response: ServerResponse): void => {
    bodies.push(body)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const delta of answers[bodies.length - 1] ?? []) response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: null }] })}\n\n`)
    response.end(finishReason === null ? '' : `data: ${JSON.stringify({ choices: [{ delta: {}, finish_reason: finishReason }] })}\n\ndata: [DONE]\n\n`)
  }
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => server.closeAllConnections())
  t.teardown(() => server.close())
  return { bodies, baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` }
}

async function eventsOf (options: Partial<OpenAiOptions>, more: Partial<RunContext> = {}): Promise<ProviderEvent[]> {
  const context: RunContext = {
    session: { id: 's', owner: '', metadata: {} },
    runId: 'r',
    content: 'go',
    options: {},
    context: undefined,
    providerSessionId: null,
    async * history () {},
    signal: new AbortController().signal,
    requestPermission: async () => ({ allow: true }),
    log: silentLogger,
    ...more
  }
  const tools = { look: { description: 'Looks.', parameters: { type: 'object' }, execute: (input: unknown) => input } }
  const events: ProviderEvent[] = []
  for await (const event of openai({ model: 'm', apiKey: 'a-key-of-mine', tools, ...options }).run(context)) events.push(event)
  return events
}

const inputs = (events: ProviderEvent[]) => events.flatMap((event) => event.kind === 'tool_use' ? [event.toolInput] : [])
const call = (more: Delta) => ({ tool_calls: [more] })
const done = [{ content: 'Done.' }]

for (const [what, deltas] of Object.entries({
  'without an index': [call({ id: 'a', function: { name: 'look', arguments: '{"n":' } }), call({ function: { arguments: '1}' } }), call({ id: 'b', function: { name: 'look', arguments: '{"n":2}' } })],
  'that all have the same index': [call({ index: 0, id: 'a', function: { name: 'look', arguments: '{"n":1}' } }), call({ index: 0, id: 'b', function: { name: 'look', arguments: '{"n":2}' } })],
  'that repeat their id': [call({ index: 0, id: 'a', function: { name: 'look', arguments: '{"n":' } }), call({ index: 0, id: 'a', function: { arguments: '1}' } }), call({ index: 1, id: 'b', function: { name: 'look', arguments: '{"n":2}' } })],
  'without ids': [call({ index: 0, function: { name: 'look', arguments: '{"n":1}' } }), call({ index: 1, id: '', function: { name: 'look', arguments: '{"n":2}' } })],
  'whose index is null': [call({ index: null, id: 'a', function: { name: 'look', arguments: '{"n":1}' } }), call({ index: null, id: 'b', function: { name: 'look', arguments: '{"n":2}' } })],
  'that are all whole, without an index and an id': [{ tool_calls: [{ function: { name: 'look', arguments: '{"n":1}' } }, { function: { name: 'look', arguments: '{"n":2}' } }] }],
  'in pieces, all of the same index': [call({ index: 0, id: 'a', function: { name: 'look', arguments: '' } }), call({ index: 0, function: { arguments: '{"n":1}' } }), call({ index: 0, id: 'b', function: { name: 'look', arguments: '' } }), call({ index: 0, function: { arguments: '{"n":2}' } })],
  'that get a new id with each piece': [call({ index: 0, id: 'a', function: { name: 'look', arguments: '{"n"' } }), call({ index: 0, id: 'a2', function: { arguments: ':1}' } }), call({ index: 1, id: 'b', function: { name: 'look', arguments: '{"n"' } }), call({ index: 1, id: 'b2', function: { arguments: ':2}' } })],
  'whose name comes with each piece': [call({ index: 0, id: 'a', function: { name: 'look', arguments: '{"n"' } }), call({ index: 0, id: 'a', function: { name: 'look', arguments: ':1}' } }), call({ index: 1, id: 'b', function: { name: 'look', arguments: '{"n":2}' } }), call({ index: 1, id: 'b', function: { name: 'look', arguments: '' } })],
  'whose id and name come late, and the name in pieces': [call({ index: 0, function: { arguments: '' } }), call({ index: 0, id: 'a', function: { name: 'lo' } }), call({ index: 0, function: { name: 'ok', arguments: '{"n":1}' } }), call({ index: 1, id: 'b', function: { name: 'look', arguments: '{"n":2}' } })],
  'that come again whole at the end': [call({ index: 0, id: 'a', function: { name: 'look', arguments: '{"n":1}' } }), call({ index: 1, id: 'b', function: { name: 'look', arguments: '{"n":2}' } }), { tool_calls: [{ index: 0, id: 'a', function: { name: 'look', arguments: '{"n":1}' } }, { index: 1, id: 'b', function: { name: 'look', arguments: '{"n":2}' } }] }],
  'whose id is their name': [{ tool_calls: [{ index: 0, id: 'look', function: { name: 'look', arguments: '{"n":1}' } }, { index: 0, id: 'look', function: { name: 'look', arguments: '{"n":2}' } }] }],
  'that open with an empty object': [call({ index: 0, id: 'a', function: { name: 'look', arguments: '{}' } }), call({ index: 0, function: { arguments: '{"n":1}' } }), call({ index: 1, id: 'b', function: { name: 'look', arguments: '{"n":2}' } })],
  'whose name comes again with a line break': [call({ index: 0, id: 'a', function: { name: 'look', arguments: '{"n":1}' } }), call({ index: 0, function: { name: 'look', arguments: '\n' } }), call({ index: 1, id: 'b', function: { name: 'look', arguments: '{"n":2}' } })],
  'beside what is no call': [{ tool_calls: [null] }, { tool_calls: {} }, call({ index: 0, id: 'a', function: { name: 'look', arguments: '{"n":1}' } }), call({ index: 1, id: 'b', function: { name: 'look', arguments: '{"n":2}' } })],
  'with an empty one behind them': [call({ index: 0, id: 'a', function: { name: 'look', arguments: '{"n":1}' } }), call({ index: 1, id: 'b', function: { name: 'look', arguments: '{"n":2}' } }), call({ index: 2, id: 'c', function: { arguments: '' } })],
  'whose arguments are no text': [call({ index: 0, id: 'a', function: { name: 'look', arguments: { n: 1 } } }), call({ index: 1, id: 'b', function: { name: 'look', arguments: { n: 2 } } })]
})) {
  test(`calls ${what} are told apart, also where the service says that it just stopped`, async (t) => {
    const { baseUrl, bodies } = await serviceOf(t, [deltas, done])
    t.strictSame(inputs(await eventsOf({ baseUrl })), [{ n: 1 }, { n: 2 }])
    const { tool_calls: calls } = bodies[1].messages[1]
    t.equal(new Set(calls.map(({ id }: { id: string }) => id)).size, 2)
    t.strictSame(bodies[1].messages.slice(2).map(({ tool_call_id: id }: Delta) => id), calls.map(({ id }: { id: string }) => id))
  })
}

test('what a service wants to see again with a call, and its reasoning, goes back with the results', async (t) => {
  const extra = { extra_content: { google: { thought_signature: 'c2ln' } } }
  const { baseUrl, bodies } = await serviceOf(t, [[{ reasoning_content: 'Let me ' }, { reasoning_content: 'look.' }, call({ index: 0, id: 'a', function: { name: 'look', arguments: '' }, ...extra })], done])
  const events = await eventsOf({ baseUrl })
  t.strictSame(inputs(events), [{}], 'a call of nothing but a name')
  t.match(bodies[1].messages[1], { role: 'assistant', content: null, reasoning_content: 'Let me look.', tool_calls: [{ ...extra, function: { name: 'look', arguments: '{}' } }] })
  t.equal(events.filter(({ kind }) => kind === 'stream_end').length, 2, 'the thinking ends, and the text')
  t.notOk('usage' in events.at(-1)!, 'a service that does not count')
})

test('arguments that are no JSON are the model\'s to mend', async (t) => {
  const { baseUrl, bodies } = await serviceOf(t, [[call({ index: 0, id: 'a', function: { name: 'look', arguments: '{"n":' } })], done])
  t.strictSame(inputs(await eventsOf({ baseUrl })), ['{"n":'])
  t.equal(bodies[1].messages[1].tool_calls[0].function.arguments, '{}')
  t.equal(bodies[1].messages[2].content, 'The arguments are not the JSON of an object.')
})

test('a refusal is said, and an answer whose end was never told is none', async (t) => {
  const refusing = await serviceOf(t, [[{ refusal: 'I will not.' }]])
  t.match(await eventsOf({ baseUrl: refusing.baseUrl }), [{ kind: 'stream_delta', content: 'I will not.' }, { kind: 'stream_end' }, { kind: 'complete', exitCode: 0 }])
  const { baseUrl } = await serviceOf(t, [[{ content: 'half' }]], null)
  await t.rejects(eventsOf({ baseUrl }), { code: 'MODEL_CUT' })
})

test('the log has the service\'s words, but not the key', async (t) => {
  const model = await FakeModel.open(t)
  const lines: unknown[] = []
  const log = { ...silentLogger, warn: (...line: unknown[]) => { lines.push(line) } }
  await t.rejects(eventsOf({ baseUrl: model.openaiUrl }, { content: 'FAIL 401', log }), { code: 'MODEL_UNAUTHORIZED' })
  t.match(lines, [[{ status: 401, said: /Incorrect API key provided/ }, 'the model service failed']])
  t.notOk(JSON.stringify(lines).includes('a-key-of-mine'))
})

test('the key of the environment is for those who give none; who gives an empty one has none', async (t) => {
  const model = await FakeModel.open(t)
  const before = process.env['OPENAI_API_KEY']
  t.teardown(() => { if (before === undefined) delete process.env['OPENAI_API_KEY']; else process.env['OPENAI_API_KEY'] = before })
  process.env['OPENAI_API_KEY'] = 'of-the-environment'
  await eventsOf({ baseUrl: model.openaiUrl, apiKey: '' })
  t.equal(model.last.headers.authorization, 'Bearer none')
  const { apiKey, ...none } = { apiKey: '', baseUrl: model.openaiUrl, model: 'm' }
  for await (const event of openai(none).run({ content: 'go', options: {}, history: async function * () {}, signal: new AbortController().signal } as never)) t.ok(event.kind)
  t.equal(model.last.headers.authorization, 'Bearer of-the-environment')
})

test('a call without a name, or with arguments that are no object, is never made', async (t) => {
  let made = 0
  const tools = { look: { description: 'Looks.', parameters: { type: 'object' }, execute: () => { made++ } } }
  const { baseUrl, bodies } = await serviceOf(t, [[call({ index: 0, id: 'a', function: { arguments: '{"n":1}' } }), call({ index: 1, id: 'b', function: { name: 'look', arguments: '[1]' } }), call({ index: 2, id: 'c', function: { name: 'look', arguments: 'null' } })], done])
  await eventsOf({ baseUrl, tools })
  t.equal(made, 0)
  t.strictSame(bodies[1].messages.slice(2).map(({ content }: Delta) => content), ['There is no tool "".', 'The arguments are not the JSON of an object.', 'The arguments are not the JSON of an object.'])
  t.ok(bodies[1].messages[1].tool_calls.every(({ function: { name } }: { function: { name: string } }) => name !== ''), 'services refuse a call without a name')
})

test('reasoning details go back as they came, put together from their pieces', async (t) => {
  const detail = (more: Delta) => ({ reasoning_details: [{ type: 'reasoning.text', index: 0, format: 'x', ...more }] })
  const { baseUrl, bodies } = await serviceOf(t, [[detail({ text: 'Let me ' }), detail({ text: 'look.' }), detail({ signature: 's1' }), { reasoning_details: [{ type: 'reasoning.encrypted', index: 1, data: 'zzz' }] }, call({ index: 0, id: 'a', function: { name: 'look', arguments: '{}' } })], done])
  const events = await eventsOf({ baseUrl })
  t.equal(events.map((event) => event.kind === 'thinking_delta' ? event.content : '').join(''), 'Let me look.')
  t.strictSame(bodies[1].messages[1].reasoning_details, [{ type: 'reasoning.text', index: 0, format: 'x', text: 'Let me look.', signature: 's1' }, { type: 'reasoning.encrypted', index: 1, data: 'zzz' }])
})

for (const [what, deltas, thought, text] of [
  ['between tags', ['<thi', 'nk>\nLet me', ' see.\n</th', 'ink>\n\nIt is ', '4.'], 'Let me see.\n', 'It is 4.'],
  ['between tags of another name', ['<THOUGHT>Hm.</thou', 'ght>\n', '\n4.'], 'Hm.', '4.'],
  ['of nothing but line breaks', ['<think>a', ...Array.from({ length: 20_000 }, () => '\n'), '</think>b'], 'a' + '\n'.repeat(20_000), 'b'],
  ['between tags that never close', ['<think>Let me', ' see </thin'], 'Let me see </thin', ''],
  ['nowhere, though the text looks like it', ['<th', 'e>', ' <think> is a tag'], '', '<the> <think> is a tag'],
  ['in parts', [[{ type: 'thinking', thinking: [{ type: 'text', text: 'Hm.' }] }], [{ type: 'text', text: 'It is ' }], [{ type: 'text', text: '4.' }]], 'Hm.', 'It is 4.']
] as Array<[string, unknown[], string, string]>) {
  test(`thoughts ${what} are told apart from the text`, async (t) => {
    const { baseUrl } = await serviceOf(t, [deltas.map((content) => ({ content }))])
    const events = await eventsOf({ baseUrl })
    const said = (wanted: string): string => events.map((event) => event.kind === wanted ? (event as { content: string }).content : '').join('')
    t.equal(said('thinking_delta'), thought)
    t.equal(said('stream_delta'), text)
  })
}

test('a service whose calls never end fails the run: no event says how long they are', async (t) => {
  const piece = 'x'.repeat(1024 * 1024)
  const { baseUrl } = await serviceOf(t, [[{ tool_calls: [{ index: 0, id: 'a', function: { name: 'f', arguments: piece } }] }, ...Array.from({ length: 8 }, () => ({ tool_calls: [{ index: 0, function: { arguments: piece } }] }))]])
  await t.rejects(eventsOf({ baseUrl }), { code: 'MODEL_FAILED', message: 'The model calls tools without an end.' })
})
