/* What a host and clients set of an ACP agent, how it logs in, and what it asks of the user. */
import { join } from 'node:path'
import { test } from 'tap'
import type { Event } from '../../index.ts'
import { acpScript, conversation, NATIVE, textOf } from '../helpers/scripted-acp.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const option = (id: string, category: string, current: string, values: string[]) =>
  ({ id, name: id, category, type: 'select', currentValue: current, options: values.map((value) => ({ value, name: value })) })

const OPTIONS = {
  'session/new': `
    globalThis.options = ${JSON.stringify([option('llm', 'model', 'small', ['small', 'large']), option('mode', 'mode', 'ask', ['ask', 'code', 'plan']), option('effort', 'thought_level', 'low', ['low', 'high']), { id: 'web', name: 'web', type: 'boolean', currentValue: false }])}
    answer({ sessionId: '${NATIVE}', configOptions: options })`,
  'session/set_config_option': 'options.find(({ id }) => id === params.configId).currentValue = params.value; answer({ configOptions: options })',
  'session/prompt': 'say(options.map(({ currentValue }) => currentValue).join()); answer({ stopReason: "end_turn" })'
}

test('the host\'s model, mode and options hold for every message, a client\'s for its own', async (t) => {
  const { say, app } = await conversation(t, acpScript(OPTIONS, {
    mode: 'plan', configOptions: { web: true }, models: ['large'], modes: ['code'], configChoices: { effort: ['high', 'low'] }
  }))
  const told = async (options?: Record<string, unknown>): Promise<string> => textOf(await say('go', undefined, options))
  t.equal(await told(), 'small,plan,low,true')
  t.equal(await told({ model: 'large', mode: 'code', configOptions: { effort: 'high' } }), 'large,code,high,true')
  t.equal(await told(), 'small,plan,low,true', 'as before')
  for (const options of [{ model: 'small' }, { mode: 'ask' }, { configOptions: { effort: 'max' } }, { configOptions: { web: false } }, { cwd: '/' }]) {
    await t.rejects(app.agentRuns.startRun({ sessionId: 's', content: 'go', options }), { code: 'AGENT_RUNS_INVALID_OPTIONS' }, JSON.stringify(options))
  }
})

test('a mode and a model among the other options hold as well, and come back with another process', async (t) => {
  const { say } = await conversation(t, acpScript({
    ...OPTIONS,
    initialize: 'answer({ protocolVersion: 1, agentCapabilities: { sessionCapabilities: { resume: {} } } })',
    'session/resume': OPTIONS['session/new'].replace('answer(', 'options[1].currentValue = require("fs").existsSync(process.env.KEPT) ? require("fs").readFileSync(process.env.KEPT, "utf8") : "ask"; answer('),
    'session/set_config_option': 'if (params.configId === "mode") require("fs").writeFileSync(process.env.KEPT, params.value);' + OPTIONS['session/set_config_option']
  }, { idleMs: 0, configChoices: { mode: ['code'], llm: ['large'] }, env: { KEPT: join(tempDir(t), 'kept') } }))
  t.equal(textOf(await say()), 'small,ask,low,false')
  t.equal(textOf(await say('go', undefined, { configOptions: { mode: 'code', llm: 'large' } })), 'large,code,low,false')
  t.equal(textOf(await say()), 'small,ask,low,false', 'though the agent keeps it with its session')
})

test('agents that know modes and models, but no options, are told in their way', async (t) => {
  const { say } = await conversation(t, acpScript({
    'session/new': `globalThis.now = { mode: 'ask', model: 'a' }
      answer({ sessionId: '${NATIVE}', modes: { currentModeId: 'ask', availableModes: [{ id: 'ask', name: 'Ask' }, { id: 'yolo', name: 'Yolo' }] }, models: { currentModelId: 'a', availableModels: [{ modelId: 'a', name: 'A' }, { modelId: 'b', name: 'B' }] } })`,
    'session/set_mode': 'now.mode = params.modeId; answer({})',
    'session/set_model': 'now.model = params.modelId; answer({})',
    'session/prompt': 'say(now.model + now.mode); answer({ stopReason: "end_turn" })'
  }, { model: 'b', modes: ['yolo'] }))
  t.equal(textOf(await say()), 'bask')
  t.equal(textOf(await say('go', undefined, { mode: 'yolo' })), 'byolo')
  t.equal(textOf(await say()), 'bask')
})

test('what an agent began with and does not offer any more is not restored, and wedges nothing', async (t) => {
  const { say } = await conversation(t, acpScript({
    ...OPTIONS,
    'session/set_config_option': `const option = options.find(({ id }) => id === params.configId)
      option.currentValue = params.value; option.options = option.options.filter(({ value }) => value === params.value); answer({ configOptions: options })`
  }, { models: ['large'] }))
  await say('go', undefined, { model: 'large' })
  for (let i = 0; i < 2; i++) t.match(textOf(await say()), /^large,/)
})

test('a choice that the agent does not offer fails the run, and says what there is', async (t) => {
  const unknown = await conversation(t, acpScript(OPTIONS, { model: 'huge' }))
  t.match((await unknown.say()).at(-1), { error: { code: 'AGENT_OPTION_UNKNOWN', message: 'The agent has no model "huge". It has: small, large.' } })
  const none = await conversation(t, acpScript({}, { mode: 'plan' }))
  t.match((await none.say()).at(-1), { error: { code: 'AGENT_OPTION_UNKNOWN', message: 'The agent does not let its mode be chosen.' } })
})

const LOCKED = {
  initialize: 'answer({ protocolVersion: 1, agentCapabilities: {}, authMethods: [{ id: \'api-key\', name: \'Use a key\' }, { id: \'oauth\', name: \'Log in\' }] })',
  authenticate: 'globalThis.as = params.methodId; answer({})',
  'session/new': `globalThis.as === undefined ? fail(-32000, 'Authentication required') : answer({ sessionId: '${NATIVE}' })`,
  'session/prompt': 'say("as " + as); answer({ stopReason: "end_turn" })'
}

test('an agent that wants somebody to log in is logged in to once, and asked again', async (t) => {
  const { say } = await conversation(t, acpScript(LOCKED, { authMethod: 'api-key' }))
  t.equal(textOf(await say()), 'as api-key')
})

test('without a method the error names those that there are; one that fails is not tried again', async (t) => {
  const without = await conversation(t, acpScript(LOCKED))
  t.match((await without.say()).at(-1), { error: { code: 'AGENT_NOT_AUTHENTICATED', message: /set authMethod to one of "api-key" \(Use a key\), "oauth" \(Log in\)/ } })
  const failing = await conversation(t, acpScript({ ...LOCKED, authenticate: 'answer({})' }, { authMethod: 'oauth' }))
  t.match((await failing.say()).at(-1), { error: { code: 'AGENT_NOT_AUTHENTICATED' } })
})

test('what an agent says of an error is in the error, wherever it says it', async (t) => {
  for (const data of ['"the model is gone"', '{ details: "the model is gone" }', '{ message: "the model is gone" }']) {
    const { say } = await conversation(t, acpScript({ 'session/prompt': `write({ id, error: { code: -32603, message: 'Internal error', data: ${data} } })` }))
    t.match((await say()).at(-1), { error: { code: 'AGENT_FAILED', message: 'Internal error: the model is gone' } })
  }
})

test('MCP servers are told by the run', async (t) => {
  const { say } = await conversation(t, acpScript({
    'session/new': `globalThis.servers = params.mcpServers; answer({ sessionId: '${NATIVE}' })`,
    'session/prompt': 'say(JSON.stringify(servers)); answer({ stopReason: "end_turn" })'
  }, { mcpServers: ({ session }) => [{ name: 'files', command: 'files', args: [session.id], env: [] }] }))
  t.equal(textOf(await say()), '[{"name":"files","command":"files","args":["s"],"env":[]}]')
})

/** An agent that asks one thing, and says what it was answered. */
const asking = (method: string, params: object) => acpScript({ 'session/prompt': `say(JSON.stringify(await ask('${method}', ${JSON.stringify({ sessionId: NATIVE, ...params })}))); answer({ stopReason: 'end_turn' })` })
const FORM = { mode: 'form', message: 'Which one?', requestedSchema: { type: 'object', properties: { colour: { type: 'string', oneOf: [{ const: 'r', title: 'Red' }, { const: 'g', title: 'Green' }] } }, required: ['colour'] } }
const WORDS = { mode: 'form', message: 'Your name?', requestedSchema: { type: 'object', properties: { name: { type: 'string' }, age: { type: 'integer', default: 7 } }, required: ['name'] } }
const CURSOR = { toolCallId: 't', title: 'Tests', questions: [{ id: 'q', prompt: 'Which runner?', options: [{ id: 'tap', label: 'tap' }, { id: 'jest', label: 'jest' }], allowMultiple: true }] }

for (const [what, method, params, request, decision, answer] of [
  ['a form of one choice', 'elicitation/create', FORM, { toolName: 'question', input: { message: 'Which one?' }, options: [{ optionId: 'r', name: 'Red' }, { optionId: 'g', name: 'Green' }, { name: 'None of these' }] }, { allow: true, optionId: 'g' }, { action: 'accept', content: { colour: 'g' } }],
  ['a form of several fields', 'elicitation/create', WORDS, { toolName: 'question' }, { allow: true, updatedInput: { name: 'Ada' } }, { action: 'accept', content: { age: 7, name: 'Ada' } }],
  ['a choice with a field for other words', 'elicitation/create', { ...FORM, requestedSchema: { properties: { ...FORM.requestedSchema.properties, note: { type: 'string' } } } }, { options: [{ optionId: 'r' }, { optionId: 'g' }, {}] }, { allow: true, optionId: 'r' }, { action: 'accept', content: { colour: 'r' } }],
  ['a choice, in other words', 'elicitation/create', { ...FORM, requestedSchema: { properties: { ...FORM.requestedSchema.properties, note: { type: 'string' } } } }, {}, { allow: true, message: 'Blue' }, { action: 'accept', content: { note: 'Blue' } }],
  ['a form without what it needs', 'elicitation/create', WORDS, {}, { allow: true }, { action: 'decline' }],
  ['a form of one text', 'elicitation/create', { ...FORM, requestedSchema: { properties: { name: { type: 'string' } } } }, {}, { allow: true, message: 'Ada' }, { action: 'accept', content: { name: 'Ada' } }],
  ['a form that is refused', 'elicitation/create', FORM, {}, { allow: false }, { action: 'decline' }],
  ['an address', 'elicitation/create', { mode: 'url', message: 'Log in.', url: 'https://example.com', elicitationId: 'e' }, { input: { message: 'Log in.', url: 'https://example.com' } }, { allow: true }, { action: 'accept' }],
  ['a question of Cursor', 'cursor/ask_question', CURSOR, { toolId: 't', input: { message: 'Which runner?', allowMultiple: true }, options: [{ optionId: 'tap' }, { optionId: 'jest' }, {}] }, { allow: true, updatedInput: { selectedOptionIds: ['tap', 'jest'] } }, { outcome: { outcome: 'answered', answers: [{ questionId: 'q', selectedOptionIds: ['tap', 'jest'] }] } }],
  ['a question of Cursor that is refused', 'cursor/ask_question', CURSOR, {}, { allow: false, message: 'Later.' }, { outcome: { outcome: 'skipped', reason: 'Later.' } }],
  ['a plan of Cursor', 'cursor/create_plan', { toolCallId: 't', name: 'Plan', plan: '# Do it' }, { toolName: 'create_plan', input: { name: 'Plan', plan: '# Do it' } }, { allow: true }, { outcome: { outcome: 'accepted' } }]
] as Array<[string, string, object, object, { allow: boolean }, object]>) {
  test(`${what} is an approval, and its answer goes back in the agent's form`, async (t) => {
    const { say, app } = await conversation(t, asking(method, params))
    let asked: Event | undefined
    const events = await say('go', async (event) => {
      if (event.kind !== 'permission_request') return
      asked = event
      await app.agentRuns.answerPermission({ sessionId: 's', requestId: event.requestId, ...decision })
    })
    t.match(asked, request)
    t.strictSame(JSON.parse(textOf(events)), answer)
  })
}

test('a question is cancelled when its run is aborted', async (t) => {
  const { say, app } = await conversation(t, asking('elicitation/create', FORM))
  const events = await say('go', async ({ kind }) => { if (kind === 'permission_request') await app.agentRuns.abortRun({ sessionId: 's' }) })
  t.match(events.slice(-2), [{ kind: 'permission_cancelled', reason: 'aborted' }, { kind: 'complete', aborted: true }])
})

test('texts that are attached reach the agent as texts, other files as they are', async (t) => {
  const { app } = await conversation(t, acpScript({
    initialize: 'answer({ protocolVersion: 1, agentCapabilities: { promptCapabilities: { embeddedContext: true } } })',
    'session/prompt': 'say(JSON.stringify(params.prompt.map(({ resource }) => resource))); answer({ stopReason: "end_turn" })'
  }))
  const file = (mimeType: string) => ({ type: 'file' as const, mimeType, name: 'a', data: Buffer.from('hä').toString('base64') })
  await app.agentRuns.startRun({ sessionId: 's', content: ['text/csv', 'application/ld+json', 'application/pdf'].map(file) })
  const events: Event[] = []
  for await (const event of app.agentRuns.subscribe('s')) {
    if ('seq' in event) events.push(event)
    if (event.kind === 'complete') break
  }
  t.match(JSON.parse(textOf(events)), [{ text: 'hä' }, { text: 'hä' }, { blob: Buffer.from('hä').toString('base64') }])
})
