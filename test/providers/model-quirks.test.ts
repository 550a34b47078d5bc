/* Model services that do not behave: whom is believed when an answer is over, and what is sent after a run that failed. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type Test } from 'tap'
import { openai } from '../../providers/openai/index.ts'
import { completeOf, Conversing, texts } from '../helpers/conversing.ts'

interface Asked { body: { messages: Array<{ role: string, content: unknown }> }, response: ServerResponse }

const chunk = (delta: object, reason: string | null = null, more: object = {}): string =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: reason }], ...more })}\n\n`
const USAGE = { usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } }
const DONE = 'data: [DONE]\n\n'

/** A chat with a service that answers as the test says. */
async function serve (t: Test, answer: (asked: Asked) => void) {
  const asked: Asked['body'][] = []
  const server = createServer((request, response) => {
    let text = ''
    request.setEncoding('utf8').on('data', (part: string) => { text += part }).on('end', () => {
      const body = JSON.parse(text) as Asked['body']
      asked.push(body)
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      answer({ body, response })
    })
  })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const chat = await Conversing.open(t, openai({ model: 'm', baseUrl: `http://127.0.0.1:${port}/v1`, timeoutMs: 3_600_000 }))
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

test('after runs that failed or said nothing, no two messages of the user are sent in a row', async (t) => {
  const { chat, asked } = await serve(t, ({ body, response }) => {
    const newest = String(body.messages.at(-1)!.content)
    if (newest === 'one') response.destroy()
    else response.end((newest.endsWith('two') ? '' : chunk({ content: 'hi' })) + chunk({}, 'stop') + DONE)
  })
  for (const text of ['one', 'two', 'three', 'four']) await chat.turn(text)
  t.strictSame(asked.at(-1)!.messages, [{ role: 'user', content: 'one\n\ntwo\n\nthree' }, { role: 'assistant', content: 'hi' }, { role: 'user', content: 'four' }])
})
