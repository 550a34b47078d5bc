/* The real Agent SDK and the agent that comes with it: what is left when it is stopped, killed or let down. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { bash, claudeSdk, ClaudeWorld } from '../helpers/claude-world.ts'

const { skip } = claudeSdk
/** Runs until it is ended. */
const FOREVER = 'tail -f /dev/null; true'

test('an abort in the middle of a word leaves no process, no open connection, and a session that goes on', { skip }, async (t) => {
  const world = await ClaudeWorld.open(t)
  await world.say('SLOW and steady')
  await world.event('stream_delta', 5)
  const since = performance.now()
  t.match(await world.post('abort', {}), { reason: 'aborted' })
  await world.gone(t, since)
  await world.model.until(({ openConnections }) => openConnections === 0)
  await world.say('still there?')
  await world.event('complete', 2)
  const { messages } = world.model.last.body
  t.match(JSON.stringify(messages), /SLOW and steady.*You said: and steady.*still there\?/, 'it knows what it had said')
  t.notMatch(world.lines.join(), /AGENT_FORGOT/)
  await world.gone(t)
  await world.assertSecret(t)
})

test('an abort before the agent has begun leaves no process', { skip }, async (t) => {
  const world = await ClaudeWorld.open(t)
  await world.say('hello')
  await world.processes((all) => all.length > 0)
  const since = performance.now()
  t.match(await world.post('abort', {}), { reason: 'aborted' })
  await world.gone(t, since)
})

test('a run that is aborted while its agent waits for leave takes the request with it', { skip }, async (t) => {
  const world = await ClaudeWorld.open(t)
  await world.say(bash('touch never'))
  await world.event('permission_request')
  const since = performance.now()
  await world.post('abort', {})
  await world.gone(t, since)
  t.strictSame(world.lines.slice(-2), ['cancelled: aborted', 'complete: aborted'])
  t.notOk(existsSync(join(world.home, 'never')))
  await world.assertSecret(t)
})

test('an agent that hears nothing any more is killed', { skip }, async (t) => {
  const world = await ClaudeWorld.open(t, { killGraceMs: 200 })
  await world.say('SLOW')
  await world.event('stream_delta', 5)
  const [agent] = await world.processes((all) => all.length > 0)
  process.kill(agent!.pid, 'SIGSTOP')
  const since = performance.now()
  t.match(await world.post('abort', {}), { reason: 'aborted' })
  await world.gone(t, since)
})

for (const [how, stop] of Object.entries<(world: ClaudeWorld, agent: number) => Promise<unknown>>({
  'an abort': (world) => world.post('abort', {}),
  'closing the server': (world) => world.close(),
  'kill -9': async (_world, agent) => process.kill(agent, 'SIGKILL')
})) {
  test(`${how} ends the agent and a tool of it that runs in a session of its own`, { skip }, async (t) => {
    const world = await ClaudeWorld.open(t, { allowedTools: ['Bash'] })
    await world.say(bash(FOREVER))
    const { agent } = await world.atWork()
    const since = performance.now()
    await stop(world, agent)
    await world.gone(t, since)
    if (how !== 'kill -9') return
    const complete = await world.event('complete')
    t.match(complete, { reason: 'failed', exitCode: 137, error: { code: 'AGENT_EXITED', message: 'The agent ended with code 137.' } })
    t.equal(world.of('complete').length, 1)
    await world.say('again')
    await world.event('complete', 2)
    t.equal(world.lines.at(-1), 'complete: finished')
    await world.assertSecret(t)
  })
}

test('a model service that breaks off, fails or is gone is one failure, without a word of what it said', { skip }, async (t) => {
  const world = await ClaudeWorld.open(t)
  await world.say('CUT one two three four')
  await world.event('complete')
  t.comment(`the agent asked ${world.model.requests.filter(({ api }) => api === 'anthropic').length} times, once more than it was allowed to and once without streaming`)
  t.strictSame(world.lines, ['user: CUT one two three four', 'assistant: You said: one ', 'complete: failed MODEL_FAILED'])
  await world.say('FAIL 401')
  t.match((await world.event('complete', 2)).error, { code: 'MODEL_FAILED', message: "The agent's model failed (401, authentication_failed)." })
  await world.say('SLOW')
  await world.event('stream_delta', world.of('stream_delta').length + 5)
  world.model.kill()
  await world.event('complete', 3)
  t.equal(world.lines.at(-1), 'complete: failed MODEL_FAILED')
  t.notMatch(world.client.raw, /test-key|127\.0\.0\.1/)
  await world.gone(t)
  await world.assertSecret(t)
})
