import { test, type Test } from 'tap'
import type { AgentRunsOptions, Event } from '../../index.ts'
import { logOf, settledOf, story, TOOL, untilAsked, untilEvent } from '../helpers/approvals.ts'
import { buildApp } from '../helpers/build-app.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

interface Problem { statusCode: number, code: string, message: string }

/** A server with users; alice's session waits for approvals. */
async function serve (t: Test, requests = 1, options: Partial<AgentRunsOptions> = {}) {
  const agent = scriptedProvider()
  const app = await buildApp(t, { providers: { agent }, store: ':memory:', identify: ({ headers }) => ({ owner: headers['x-user'] as string ?? 'alice' }), ...options })
  await app.agentRuns.startRun({ sessionId: 's', owner: 'alice', content: 'go' })
  const run = await agent.next()
  const heard = Array.from({ length: requests }, () => settledOf(run.context.requestPermission({ ...TOOL, options: [{ optionId: 'once', name: 'Once' }] })))
  const requestIds = await untilAsked(app.agentRuns, requests)
  /** The answer as it came, byte for byte. */
  const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const { statusCode, body: text, headers: all } = await app.inject({ method: 'POST', url: path, headers: { 'content-type': 'application/json', ...headers }, payload: typeof body === 'string' ? body : JSON.stringify(body) })
    return { status: statusCode, text, type: all['content-type'], json: JSON.parse(text) as Problem & Event }
  }
  const answer = (body: unknown, requestId = requestIds[0]!, headers: Record<string, string> = {}) => post(`/sessions/s/permissions/${requestId}`, body, headers)
  return { app, run, heard, requestIds, post, answer }
}

test('an answer is answered with the event that is in the log by then, and the agent goes on', async (t) => {
  const { app, heard, requestIds: [requestId], answer } = await serve(t)
  t.match((await app.inject('/sessions/s')).json(), { isProcessing: true, pendingPermissions: [{ kind: 'permission_request', requestId, seq: 2, toolName: 'rm' }] })
  const { status, json } = await answer({ allow: true, optionId: 'once', updatedInput: { path: '/tmp' }, message: 'careful' })
  t.strictSame([status, json], [200, (await logOf(app.agentRuns)).at(-1)])
  t.match(json, { kind: 'permission_resolved', sessionId: 's', seq: 3, requestId, allow: true, optionId: 'once' })
  t.strictSame(await heard[0], { value: { allow: true, optionId: 'once', updatedInput: { path: '/tmp' }, message: 'careful' } })
  t.match((await app.inject('/sessions/s')).json(), { isProcessing: true, pendingPermissions: [] })
})

test('the same answer again gets the same outcome; another one is a conflict', async (t) => {
  const { requestIds: [requestId], answer } = await serve(t)
  const first = await answer({ allow: false, message: 'no' })
  t.equal(first.status, 200)
  t.strictSame(await answer({ message: 'no', allow: false }), first)
  for (const other of [{ allow: true }, { allow: false }]) {
    t.match((await answer(other)).json, { statusCode: 409, code: 'PERMISSION_ALREADY_RESOLVED', message: `The approval "${requestId}" does not wait for an answer any more.` })
  }
})

test('what is no answer is refused with the reason, and the approval waits on', async (t) => {
  const { app, answer } = await serve(t)
  const deep = `{"allow":true,"updatedInput":${'['.repeat(20_000)}${']'.repeat(20_000)}}`
  const malformed: Array<[unknown, RegExp]> = [
    ['', /./], ['{', /./], [[], /./], ['null', /./], ['"yes"', /./], [{}, /allow/], [{ allow: 'yes' }, /allow/], [{ allow: 1 }, /allow/], [{ allow: null }, /allow/],
    [{ allow: true, optionId: 'twice' }, /no option "twice"/], [{ allow: true, optionId: 1 }, /optionId/], [{ allow: true, message: {} }, /message/],
    [{ allow: false, updatedInput: {} }, /updatedInput/], [{ allow: false, updatedInput: null }, /updatedInput/], [{ allow: true, more: 1 }, /more|additional/],
    [{ allow: true, sessionId: 'other' }, /sessionId|additional/], [{ allow: true, owner: 'bob' }, /owner|additional/], ['{"allow":true,"updatedInput":{"__proto__":{}}}', /./]
  ]
  for (const [body, message] of malformed) t.match((await answer(body)).json, { statusCode: 400, code: 'INVALID_REQUEST', message }, JSON.stringify(body).slice(0, 60))
  t.match(await answer(deep), { status: 413, json: { code: 'BODY_TOO_COMPLEX' } })
  t.match(await answer('allow=true', undefined, { 'content-type': 'application/x-www-form-urlencoded' }), { status: 415 })
  t.match(await answer({ allow: true, updatedInput: 'x'.repeat(1_100_000) }), { status: 413 })
  t.equal((await app.agentRuns.getSession('s'))?.pendingPermissions.length, 1)
  t.strictSame(story(await logOf(app.agentRuns)), ['user go', 'asks 1'])
})

test('null is an input like any other', async (t) => {
  const { heard, answer } = await serve(t)
  t.equal((await answer({ allow: true, updatedInput: null })).status, 200)
  t.strictSame(await heard[0], { value: { allow: true, updatedInput: null } })
})

test('what does not exist is not found: the session, or the approval in it', async (t) => {
  const { app, requestIds: [requestId], post, answer } = await serve(t)
  await app.agentRuns.createSession({ id: 'other', owner: 'alice' })
  t.match((await post(`/sessions/nowhere/permissions/${requestId}`, { allow: true })).json, { statusCode: 404, code: 'SESSION_NOT_FOUND', message: 'Session "nowhere" does not exist.' })
  t.match((await answer({ allow: true }, 'nothing')).json, { statusCode: 404, code: 'PERMISSION_NOT_FOUND' })
  t.match((await post(`/sessions/other/permissions/${requestId}`, { allow: true })).json, { statusCode: 404, code: 'PERMISSION_NOT_FOUND' }, 'another session of hers')
  t.match((await post(`/sessions/.x/permissions/${requestId}`, { allow: true })).json, { statusCode: 400, code: 'INVALID_REQUEST' })
  t.equal((await app.agentRuns.getSession('s'))?.pendingPermissions.length, 1)
})

test('to anybody else an approval does not exist, to the byte', async (t) => {
  const { app, requestIds: [requestId, settled], post, answer } = await serve(t, 2)
  await answer({ allow: true }, settled)
  const bob = { 'x-user': 'bob' }
  for (const id of [requestId, settled, 'nothing']) {
    const [his, missing] = [await answer({ allow: true }, id, bob), await post(`/sessions/t/permissions/${id}`, { allow: true }, bob)]
    t.strictSame({ ...his, json: null }, { ...missing, text: missing.text.replace('"t\\"', '"s\\"'), json: null })
    t.equal(his.status, 404)
  }
  await app.agentRuns.abortRun({ sessionId: 's' })
  t.match((await answer({ allow: true }, requestId, bob)).json, { code: 'SESSION_NOT_FOUND' }, 'also when it is over')
  await app.agentRuns.deleteSession('s')
  t.match((await answer({ allow: true }, requestId, bob)).json, { statusCode: 404, code: 'SESSION_NOT_FOUND' }, 'and gone')
  t.match((await answer({ allow: true })).json, { statusCode: 410, code: 'SESSION_DELETED' }, 'which its owner may know')
})

test('who may not approve is told so by the app, before anything is looked at', async (t) => {
  const asked: unknown[] = []
  const { heard, answer, run, app } = await serve(t, 1, {
    authorize: (_request, { action, session }) => {
      asked.push([action, session?.id])
      return action !== 'approve'
    }
  })
  t.match(await answer({ allow: true }), { status: 403, json: { code: 'FORBIDDEN' } })
  t.strictSame(asked, [['approve', 's']])
  run.end()
  t.match(await heard[0], { error: { name: 'AbortError' } })
  await untilEvent(app.agentRuns, 'complete')
  t.strictSame(story(await logOf(app.agentRuns)), ['user go', 'asks 1', 'cancelled 1 finished', 'complete finished'])
})

test('the end of the run comes before an answer: a conflict', async (t) => {
  const { app, answer } = await serve(t)
  await app.agentRuns.abortRun({ sessionId: 's' })
  t.match((await answer({ allow: true })).json, { statusCode: 409, code: 'PERMISSION_ALREADY_RESOLVED' })
  t.match((await app.inject('/sessions/s')).json(), { isProcessing: false, pendingPermissions: [] })
})
