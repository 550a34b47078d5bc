/* What waits is told by the process that changes it, though its store tells it only of others. */
import { test } from 'tap'
import { memoryStore } from '../../db/memory/store.ts'
import { openRegistry } from '../helpers/open-registry.ts'
import { scriptedProvider } from '../helpers/scripted-provider.ts'

test('a message that waits, one that is stopped and one that has its turn are told at once', async (t) => {
  const agent = scriptedProvider()
  const registry = await openRegistry(t, agent, memoryStore())
  const post = (content: string) => registry.startRun({ sessionId: 's', content, onBusy: 'queue' })
  await post('one')
  const run = await agent.next()
  const told: string[] = []
  const steps = [() => post('two'), () => post('three'), async () => registry.abortRun({ sessionId: 's', runId: (await registry.getSession('s'))!.queue[1]! }), async () => run.end()]
  for await (const item of registry.subscribe('s')) {
    if (item.kind !== 'chat_subscribed' && item.kind !== 'queue_changed') continue
    told.push(item.waiting.map(({ preview }) => preview).join())
    const step = steps.shift()
    if (step === undefined) break
    await step()
  }
  t.strictSame(told, ['', 'two', 'two,three', 'two', ''])
})
