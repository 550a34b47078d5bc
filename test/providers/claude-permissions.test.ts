/* What Claude Code asks for: once, from now on, and in the user's words. */
import { test } from 'tap'
import type { Event } from '../../index.ts'
import type { PermissionResult, ToolAsking } from '../../providers/claude/sdk.ts'
import type { PermissionUpdate } from '../../providers/claude/standing-permissions.ts'
import { type ClaudeSdkOptions, fakeClaude, INIT, SUCCESS } from '../helpers/fake-claude.ts'

const SUGGESTIONS: PermissionUpdate[] = [
  { type: 'addRules', rules: [{ toolName: 'Bash', ruleContent: 'ls:*' }], behavior: 'allow', destination: 'localSettings' },
  { type: 'addDirectories', directories: ['/srv/more'], destination: 'session' },
  { type: 'setMode', mode: 'acceptEdits', destination: 'session' }
]

/** An agent that asks for one tool in each turn, and keeps what it is answered. */
function asking (answers: PermissionResult[], toolName: string, input: Record<string, unknown>, more: Partial<ToolAsking> = {}) {
  return async function * ({ canUseTool }: ClaudeSdkOptions) {
    yield INIT
    answers.push(await canUseTool(toolName, input, { signal: new AbortController().signal, toolUseID: 't', ...more }))
    yield SUCCESS
  }
}

test('what is allowed from now on holds for the session\'s next messages, and is written to no file', async (t) => {
  const answers: PermissionResult[] = []
  const { run, app, asked } = await fakeClaude(t, asking(answers, 'Bash', { command: 'ls' }, { suggestions: SUGGESTIONS }), { allowedTools: ['Read'] })
  let options: unknown
  const decide = (optionId: string) => async (event: Event): Promise<void> => {
    if (event.kind !== 'permission_request') return
    options = event.options
    await app.agentRuns.answerPermission({ sessionId: 's', requestId: event.requestId, allow: true, optionId })
  }
  await run({ onEvent: decide('once') })
  t.match(options, [{ optionId: 'once', kind: 'allow_once' }, { optionId: 'always', name: 'Yes, and from now on: all edits, Bash(ls:*), /srv/more', kind: 'allow_always' }, { optionId: 'no', kind: 'reject_once' }])
  await run({ onEvent: decide('always') })
  await run({ onEvent: decide('no') })
  t.match(answers, [
    { behavior: 'allow', updatedPermissions: undefined },
    { behavior: 'allow', updatedPermissions: SUGGESTIONS.map((update) => ({ ...update, destination: 'session' })) },
    { behavior: 'deny' }
  ])
  t.match(asked.map(({ settings, additionalDirectories, permissionMode }) => [(settings as { permissions?: object }).permissions, additionalDirectories, permissionMode]), [
    [undefined, undefined, 'default'],
    [undefined, undefined, 'default'],
    [{ allow: ['Bash(ls:*)'] }, ['/srv/more'], 'acceptEdits']
  ])
  // The SDK joins these with commas, which the command of a rule may hold.
  t.strictSame(asked.map(({ allowedTools }) => allowedTools), [['Read'], ['Read'], ['Read']])
  await app.agentRuns.deleteSession('s')
})

test('suggestions that would allow everything, refuse or remove something are not offered', async (t) => {
  const answers: PermissionResult[] = []
  const { run, app } = await fakeClaude(t, asking(answers, 'Bash', { command: 'ls' }, {
    suggestions: [
      { type: 'setMode', mode: 'bypassPermissions', destination: 'session' }, { type: 'removeDirectories', destination: 'session' },
      { type: 'addRules', rules: [{ toolName: 'Bash' }], behavior: 'deny', destination: 'session' }, { type: 'something_new', destination: 'session' }
    ]
  }))
  const events = await run({
    onEvent: async (event) => { if (event.kind === 'permission_request') await app.agentRuns.answerPermission({ sessionId: 's', requestId: event.requestId, allow: true }) }
  })
  t.notOk('options' in events.find(({ kind }) => kind === 'permission_request')!)
  t.match(answers, [{ behavior: 'allow', updatedPermissions: undefined }])
})

const QUESTION = { question: 'Which colour?', header: 'Colour', options: [{ label: 'Red' }, { label: 'Green' }], multiSelect: false }

for (const [what, input, options, decision, answers] of [
  ['one choice', { questions: [QUESTION] }, [{ optionId: 'Red', name: 'Red' }, { optionId: 'Green', name: 'Green' }], { optionId: 'Green' }, { 'Which colour?': 'Green' }],
  ['one choice, in other words', { questions: [QUESTION] }, [{}, {}], { message: 'Blue' }, { 'Which colour?': 'Blue' }],
  ['one choice, whose options are "yes" and "no"', { questions: [{ ...QUESTION, options: [{ label: 'yes' }, { label: 'no' }] }] }, [{}, {}], { optionId: 'no' }, { 'Which colour?': 'no' }],
  ['several', { questions: [QUESTION, QUESTION] }, undefined, { updatedInput: { questions: [], answers: { 'Which colour?': 'Red' } } }, { 'Which colour?': 'Red' }]
] as Array<[string, Record<string, unknown>, object[] | undefined, object, object]>) {
  test(`a question of ${what} is answered`, async (t) => {
    const given: PermissionResult[] = []
    const { run, app } = await fakeClaude(t, asking(given, 'AskUserQuestion', input))
    const events = await run({
      onEvent: async (event) => { if (event.kind === 'permission_request') await app.agentRuns.answerPermission({ sessionId: 's', requestId: event.requestId, allow: true, ...decision }) }
    })
    t.match((events.find(({ kind }) => kind === 'permission_request') as { options?: object[] }).options, options)
    t.match(given, [{ behavior: 'allow', updatedInput: { answers } }])
  })
}

test('a client chooses among the modes that the host lets it', async (t) => {
  const { run, app, asked } = await fakeClaude(t, async function * () { yield * [INIT, SUCCESS] }, { permissionModes: ['plan', 'bypassPermissions'], permissionMode: 'dontAsk' })
  for (const permissionMode of ['plan', 'bypassPermissions']) await run({ options: { permissionMode } })
  await run()
  t.strictSame(asked.map(({ permissionMode, allowDangerouslySkipPermissions: skips = false }) => [permissionMode, skips]), [['plan', false], ['bypassPermissions', true], ['dontAsk', false]])
  await t.rejects(app.agentRuns.startRun({ sessionId: 's', content: 'go', options: { permissionMode: 'acceptEdits' } }), { code: 'AGENT_RUNS_INVALID_OPTIONS' })
})
