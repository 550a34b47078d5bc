/* Replays in large pieces. */
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { aiSdkDialect, agUiDialect } from '../../../transports/dialects/index.ts'
import { mergedDeltas } from '../../../transports/dialects/common/merged-deltas.ts'
import { serveApp } from '../../helpers/build-app.ts'
import { delta, event } from '../../helpers/client-frames.ts'
import { scriptedProvider } from '../../helpers/scripted-provider.ts'

test('deltas that follow each other in one message are one, under the seq of the last; nothing else changes', (t) => {
  const events = [
    event(1, 'text', { role: 'user', messageId: 'u', content: 'hi' }), delta(2), delta(3), event(4, 'thinking_delta', { messageId: 'm', content: 'hm' }),
    delta(5), event(6, 'stream_delta', { messageId: 'n', content: 'other' }), event(7, 'stream_delta', { messageId: 'n', content: 'all', snapshot: true }),
    event(8, 'stream_delta', { messageId: 'n', content: ' more' }), event(9, 'status', { text: 'busy' }), event(10, 'stream_delta', { messageId: 'n', content: '!' })
  ]
  const before = structuredClone(events)
  t.strictSame(mergedDeltas(events).map((each) => [each.seq, each.kind, 'content' in each ? each.content : null]), [
    [1, 'text', 'hi'], [3, 'stream_delta', '2 3 '], [4, 'thinking_delta', 'hm'], [5, 'stream_delta', '5 '], [6, 'stream_delta', 'other'], [7, 'stream_delta', 'all'],
    [8, 'stream_delta', ' more'], [9, 'status', null], [10, 'stream_delta', '!']
  ])
  t.strictSame(events, before, 'what others are told too is left alone')
  t.strictSame(mergedDeltas([]), [])
  t.end()
})

for (const [name, dialect, content] of [['ai-sdk', aiSdkDialect(), 'text-delta'], ['ag-ui', agUiDialect(), 'TEXT_MESSAGE_CONTENT']] as const) {
  test(`${name}: 5,000 deltas are replayed in a few pieces; live ones come as they are`, async (t) => {
    const agent = scriptedProvider()
    const { app, url } = await serveApp(t, { providers: { agent }, dialects: { [name]: dialect } })
    await app.agentRuns.startRun({ sessionId: 's', content: 'go' })
    const run = await agent.next()
    const words = Array.from({ length: 5_000 }, (_, index) => `${index} `)
    await run.emit(...words.map((word) => ({ kind: 'stream_delta' as const, messageId: 'm', content: word })))
    while ((await app.agentRuns.getSession('s'))!.lastSeq < 5_001) await delay(5)
    const response = await fetch(`${url}/${name}/s/stream`)
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    const until = async (end: string): Promise<void> => { while (!text.includes(end)) text += (await reader.read()).value ?? '' }
    await until('4999 ')
    for (const word of ['live ', 'words ']) {
      await run.emit({ kind: 'stream_delta', messageId: 'm', content: word })
      await until(word)
    }
    run.end()
    await until(name === 'ai-sdk' ? '[DONE]' : 'RUN_FINISHED')
    const deltas = text.split('\n\n').filter((frame) => frame.includes(`"${content}"`)).map((frame) => (JSON.parse(frame.slice('data: '.length)) as { delta: string }).delta)
    t.equal(deltas.join(''), words.join('') + 'live words ')
    t.strictSame(deltas.slice(-2), ['live ', 'words '])
    t.ok(deltas.length < 20, `${deltas.length} frames`)
  })
}
