/* The real Agent SDK and the agent that comes with it: what it says, asks and is told. */
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { bash, claudeSdk, ClaudeWorld } from '../helpers/claude-world.ts'

const { skip } = claudeSdk

test('a turn: what the agent thinks and says comes in deltas and whole, its usage at the end', { skip }, async (t) => {
  const world = await ClaudeWorld.open(t)
  await world.say('THINK about it')
  const complete = await world.event('complete')
  t.strictSame(world.lines, ['user: THINK about it', 'thinking: Let me think about: about it', 'assistant: You said: about it (turn 1)', 'complete: finished'])
  for (const [whole, delta] of [['thinking', 'thinking_delta'], ['text', 'stream_delta']] as const) {
    const { messageId, content } = world.of(whole).at(-1)!
    const deltas = world.of(delta)
    t.ok(deltas.length > 2)
    t.strictSame(new Set(deltas.map((event) => event.messageId)), new Set([messageId]))
    t.equal(deltas.map((event) => event.content).join(''), content)
  }
  t.match(complete.usage, { inputTokens: 10, outputTokens: Number, turns: 1, sessionCostUsd: Number })
  await world.gone(t)
  await world.assertSecret(t)
})

test('the next message goes on with the native session; one that the agent has lost is begun anew, and said so', { skip }, async (t) => {
  const world = await ClaudeWorld.open(t)
  await world.say('my name is Ada')
  await world.event('complete')
  await world.say('what is it?')
  await world.event('complete', 2)
  const { messages } = world.model.last.body
  t.match(JSON.stringify(messages), /my name is Ada.*You said: my name is Ada \(turn 1\).*what is it/)
  await world.gone(t)
  await world.assertSecret(t)

  rmSync(join(world.home, 'config', 'projects'), { recursive: true })
  await world.say('and now?')
  await world.event('complete', 3)
  t.strictSame(world.lines.slice(-4), ['user: and now?', 'error: AGENT_FORGOT', 'assistant: You said: and now? (turn 1)', 'complete: finished'])
  await world.gone(t)
  await world.assertSecret(t)
})

test('what is asked for and granted is done, in the order in which it came about', { skip }, async (t) => {
  const world = await ClaudeWorld.open(t)
  const input = { command: 'echo 12345 > f; cat f', description: 'test' }
  await world.say(`USE_TOOL ${JSON.stringify(input)}`)
  const { requestId, toolId } = await world.event('permission_request')
  await world.post(`permissions/${requestId}`, { allow: true })
  await world.event('complete')
  const asked = JSON.stringify(input)
  t.strictSame(world.lines, [
    `user: USE_TOOL ${asked}`, 'assistant: Let me see. ', `tool: Bash ${asked}`, `asks: Bash ${asked}`, 'allowed: true',
    'result: {"content":"12345","isError":false}', 'assistant: The tool said: 12345', 'complete: finished'
  ])
  t.equal(toolId, world.of('tool_use')[0]!.toolId)
  t.equal(toolId, world.of('tool_result')[0]!.toolId)
  await world.gone(t)
  await world.assertSecret(t)
})

test('what is refused is not done, and the agent hears why; what is changed is done as it was changed', { skip }, async (t) => {
  const world = await ClaudeWorld.open(t)
  await world.say(bash('touch refused'))
  await world.post(`permissions/${(await world.event('permission_request')).requestId}`, { allow: false, message: 'Not on a Sunday.' })
  await world.event('complete')
  t.match(world.lines.slice(-4), ['allowed: false', /^result: .*Not on a Sunday\..*"isError":true/, /^assistant: The tool failed: .*Not on a Sunday\./, 'complete: finished'])
  t.notOk(existsSync(join(world.home, 'refused')))

  const updatedInput = { command: 'echo changed > it; cat it', description: 'test' }
  await world.say(bash('echo unchanged > it'))
  await world.post(`permissions/${(await world.event('permission_request', 2)).requestId}`, { allow: true, updatedInput })
  await world.event('complete', 2)
  t.match(world.lines.slice(-5), ['allowed: true', `tool: Bash ${JSON.stringify(updatedInput)}`, 'result: {"content":"changed","isError":false}', /changed/, 'complete: finished'])
  await world.gone(t)
  await world.assertSecret(t)
})

test('what is allowed from now on is not asked for again, though the next message has another process', { skip }, async (t) => {
  const world = await ClaudeWorld.open(t)
  await world.say(bash('npm run build --if-present'))
  const { requestId, options } = await world.event('permission_request')
  t.match(options, [{ optionId: 'once' }, { optionId: 'always', name: /^Yes, and from now on: .*npm run/ }, { optionId: 'no' }])
  await world.post(`permissions/${requestId}`, { allow: true, optionId: 'always' })
  await world.event('complete')
  await world.say(bash('npm run build --if-present'))
  await world.event('complete', 2)
  t.equal(world.of('permission_request').length, 1)
  t.equal(world.of('tool_result').length, 2)
  t.notOk(existsSync(join(world.home, '.claude')), 'no settings were written')
  await world.gone(t)
})

test('a question of the agent is answered by an option', { skip }, async (t) => {
  const world = await ClaudeWorld.open(t)
  const question = { question: 'Which colour?', header: 'Colour', options: [{ label: 'Red', description: 'Warm.' }, { label: 'Green', description: 'Cool.' }], multiSelect: false }
  await world.say(`USE_TOOL:AskUserQuestion ${JSON.stringify({ questions: [question] })}`)
  const { requestId, options } = await world.event('permission_request')
  t.match(options, [{ optionId: 'Red' }, { optionId: 'Green' }])
  await world.post(`permissions/${requestId}`, { allow: true, optionId: 'Green' })
  await world.event('complete')
  t.match(world.lines.at(-2), /^assistant: The tool said: .*Which colour\?.*Green/s)
  await world.gone(t)
})

test('a client chooses among the models that it may, and nothing else', { skip }, async (t) => {
  const world = await ClaudeWorld.open(t, { model: 'claude-one', models: ['claude-one', 'claude-two'] })
  await world.say('hello', { options: { model: 'claude-two' } })
  await world.event('complete')
  t.equal(world.model.last.body.model, 'claude-two')
  for (const options of [{ model: 'claude-three' }, { cwd: '/' }, { permissionMode: 'bypassPermissions' }, { env: {} }]) t.match(await world.say('hello', { options }), { code: 'INVALID_OPTIONS' })
  await world.gone(t)
})

test('what a client writes reaches the model as it is: no file is read and no command obeyed', { skip }, async (t) => {
  const world = await ClaudeWorld.open(t)
  writeFileSync(join(world.home, 'secret.txt'), 'nobody may read this')
  await world.say('look at @secret.txt')
  await world.event('complete')
  t.notMatch(JSON.stringify(world.model.last.body), /nobody may read this/)
  await world.say('/model opus')
  await world.event('complete', 2)
  t.equal(world.lines.at(-2), 'assistant: You said: /model opus (turn 2)')
  await world.gone(t)
})

test('a native id that a tool prints and the agent repeats goes out as the session\'s own', { skip }, async (t) => {
  const world = await ClaudeWorld.open(t, { allowedTools: ['Bash(ls *)'] })
  await world.say('hello')
  await world.event('complete')
  await world.say(bash(`ls ${join(world.home, 'config', 'projects', '*')}`))
  await world.event('complete', 2)
  t.match(world.lines.slice(-3), [/^result: .*"s\.jsonl\b/, /^assistant: The tool said: s\.jsonl/, 'complete: finished'])
  await world.gone(t)
  await world.assertSecret(t)
})

test('work in the background is refused in words: the agent ends with its turn', { skip }, async (t) => {
  const world = await ClaudeWorld.open(t, { permissionMode: 'bypassPermissions', env: { IS_SANDBOX: '1' } })
  await world.say(`USE_TOOL ${JSON.stringify({ command: 'sleep 60; touch late', description: 'test', run_in_background: true })}`)
  await world.event('complete')
  t.match(world.lines.slice(-3), [/^result: .*unexpected parameter `run_in_background`.*"isError":true/, /^assistant: The tool failed/, 'complete: finished'])
  await world.gone(t)
})

test('images and PDFs reach the model', { skip }, async (t) => {
  const world = await ClaudeWorld.open(t)
  const gif = 'R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7'
  await world.say([
    { type: 'text', text: 'Look.' }, { type: 'image', mimeType: 'image/gif', data: gif }, { type: 'image', mimeType: 'image/png', url: 'https://example.com/a.png' },
    { type: 'file', mimeType: 'application/pdf', name: 'a.pdf', url: 'https://example.com/a.pdf' }
  ])
  await world.event('complete')
  const sources = world.model.last.body.messages.flatMap(({ content }: { content: Array<{ type: string, source?: object }> }) => content).flatMap(({ type, source }: { type: string, source?: object }) => source ? [[type, source]] : [])
  t.match(sources, [['image', { type: 'base64' }], ['image', { type: 'url', url: 'https://example.com/a.png' }], ['document', { type: 'url', url: 'https://example.com/a.pdf' }]])
  await world.gone(t)
})
