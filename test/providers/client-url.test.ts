import { test } from 'tap'
import type { Event, MessageContent } from '../../index.ts'
import type { Provider } from '../../lib/provider/provider.ts'
import { promptOf as acpPrompt } from '../../providers/acp/prompt.ts'
import { aiSdk } from '../../providers/ai-sdk/index.ts'
import { claude } from '../../providers/claude/index.ts'
import { type AllowUrl, clientUrl } from '../../providers/common/client-url.ts'
import { openai } from '../../providers/openai/index.ts'
import { acpApp, said, testAgent } from '../helpers/acp-app.ts'
import { buildApp } from '../helpers/build-app.ts'
import { FakeModel } from '../helpers/fake-model.ts'

const REFUSED = { name: 'ProviderError', code: 'UNSUPPORTED_CONTENT' }

test('web addresses are handed on in the one form that everyone reads alike', (t) => {
  for (const [text, href] of [
    ['https://example.com/a.png?b=c#d', 'https://example.com/a.png?b=c#d'],
    ['http://example.com', 'http://example.com/'],
    ['HTTPS://EXAMPLE.com/A', 'https://example.com/A'],
    ['\u0001 \thttps://example.com/a\n', 'https://example.com/a'],
    ['ht\ntps://exa\tmple.com/', 'https://example.com/'],
    ['https:\\\\example.com\\@evil.example', 'https://example.com/@evil.example'],
    ['https:example.com', 'https://example.com/']
  ] as const) t.equal(clientUrl(text, undefined), href, JSON.stringify(text))
  t.end()
})

test('everything else is refused', (t) => {
  for (const text of [
    'file:///etc/passwd', 'FILE:///etc/passwd', ' file:///etc/passwd', '\tfile:///etc/passwd', 'fi\nle:///etc/passwd', '\u0000file:///etc/passwd', 'file:\\\\etc\\passwd', 'file:c:\\x',
    'ftp://example.com/', 'javascript:alert(1)', 'blob:https://example.com/1', 'view-source:https://example.com', 'data:text/plain,a', 'urn:a', 'x:y', 'c:\\windows',
    '//example.com/a', '\\\\example.com\\a', '/etc/passwd', 'etc/passwd', '', ' ', 'http://', 'https://exa mple.com/', 'https://[::1', 'https://example.com:99999/',
    'https://user@example.com/', 'https://user:password@example.com/', 'https://:password@example.com/', 'https://example.com%20@evil.example/'
  ]) t.throws(() => clientUrl(text, undefined), REFUSED, JSON.stringify(text))
  t.end()
})

test('a data URL is allowed only where it is asked for', (t) => {
  t.equal(clientUrl('DATA:image/png;base64,AAAA', undefined, { data: true }), 'data:image/png;base64,AAAA')
  t.throws(() => clientUrl('file:///etc/passwd', undefined, { data: true }), REFUSED)
  t.end()
})

test('the host may decide instead; it hears the parsed address, and only "true" is yes', (t) => {
  const asked: string[] = []
  const allowUrl: AllowUrl = (url) => {
    asked.push(url.href)
    url.protocol = 'https:'
    return url.protocol === 'file:' || url.hostname === 'cdn.example'
  }
  t.equal(clientUrl(' FILE:///srv/shared/a', allowUrl), 'file:///srv/shared/a')
  t.equal(clientUrl('http://cdn.example/a', allowUrl), 'http://cdn.example/a', 'and cannot change it')
  t.throws(() => clientUrl('https://example.com/', allowUrl), REFUSED)
  t.throws(() => clientUrl('data:,a', allowUrl, { data: true }), REFUSED)
  t.throws(() => clientUrl('//cdn.example', allowUrl), REFUSED, 'what is no URL is never asked about')
  t.strictSame(asked, ['file:///srv/shared/a', 'http://cdn.example/a', 'https://example.com/', 'data:,a'])
  t.throws(() => clientUrl('https://example.com/', (async () => false) as unknown as AllowUrl), REFUSED)
  t.end()
})

test('acp hands a link on in its normal form, by its name if it has one', (t) => {
  const link = (url: string, more = {}): MessageContent => [{ type: 'file', mimeType: 'text/plain', url, ...more }]
  t.strictSame(acpPrompt(link('HTTPS://x/y'), {}), [{ type: 'resource_link', uri: 'https://x/y', mimeType: 'text/plain', name: 'https://x/y' }])
  t.strictSame(acpPrompt(link('https://x/y', { name: 'y.txt' }), {}), [{ type: 'resource_link', uri: 'https://x/y', mimeType: 'text/plain', name: 'y.txt' }])
  const lone: MessageContent = [{ type: 'file', mimeType: 'text/plain', data: 'aGk=', name: '\ud800' }]
  t.match(acpPrompt(lone, { embeddedContext: true }), [{ resource: { uri: 'attachment:///%EF%BF%BD' } }], 'a name that is no proper text has an address all the same')
  t.end()
})

const IMAGE = 'file:///etc/passwd'
const image = (url: string): MessageContent => [{ type: 'image', mimeType: 'image/png', url }]

test('acp: an address of another kind is refused, unless the host allows it', async (t) => {
  const strict = await acpApp(t, testAgent())
  t.match((await strict.say(image(IMAGE))).at(-1), { reason: 'failed', error: { code: 'UNSUPPORTED_CONTENT' } })
  const loose = await acpApp(t, { ...testAgent(), allowUrl: ({ protocol }) => protocol === 'file:' })
  t.match(said(await loose.say(image(IMAGE))), /You said: resource_link$/)
})

/** The ends of runs for messages, one after the other in one session. */
async function endsOf (provider: Provider, messages: MessageContent[], open: (provider: Provider) => ReturnType<typeof buildApp>): Promise<Event[]> {
  const app = await open(provider)
  const ends: Event[] = []
  for (const content of messages) {
    const { cursor } = await app.agentRuns.startRun({ sessionId: 's', content })
    for await (const event of app.agentRuns.subscribe('s', { after: cursor })) {
      if (event.kind !== 'complete') continue
      ends.push(event)
      break
    }
  }
  return ends
}

test('the models\' providers refuse it too; later a note stands for it', async (t) => {
  const open = (provider: Provider) => buildApp(t, { providers: { agent: provider }, store: ':memory:' })
  const model = await FakeModel.open(t)
  const allowUrl: AllowUrl = ({ protocol }) => protocol === 'file:'
  const refused = { reason: 'failed', error: { code: 'UNSUPPORTED_CONTENT' } }
  const options = { model: 'fake', baseUrl: model.openaiUrl, apiKey: 'none' }
  t.match(await endsOf(openai(options), [image(IMAGE), 'on', image('data:image/png;base64,AAAA')], open), [refused, { reason: 'finished' }, { reason: 'finished' }])
  t.match(model.last.body.messages.map(({ content }: { content: unknown }) => content), [
    [{ type: 'text', text: '[image (image/png), not shown]' }, { type: 'text', text: 'on' }], /.*/, [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }]
  ])
  t.match(await endsOf(openai({ ...options, allowUrl }), [image(IMAGE)], open), [{ reason: 'finished' }])
  t.match(model.last.body.messages, [{ content: [{ image_url: { url: IMAGE } }] }])

  const asked: unknown[] = []
  const stream = ({ messages }: { messages: unknown }) => {
    asked.push(messages)
    return { fullStream: (async function * () { yield { type: 'finish', finishReason: 'stop' } })() }
  }
  t.match(await endsOf(aiSdk({ stream }), [image(IMAGE), 'on'], open), [refused, { reason: 'finished' }])
  t.match(await endsOf(aiSdk({ stream, allowUrl }), [image(IMAGE)], open), [{ reason: 'finished' }])
  t.match(asked, [[{ content: [{ type: 'text', text: '[image, not shown]' }, { type: 'text', text: 'on' }] }], [{ content: [{ type: 'image', image: new URL(IMAGE) }] }]])

  const prompts: unknown[] = []
  const sdk = async () => ({
    async * query ({ prompt }: { prompt: AsyncIterable<{ message: unknown }> }) {
      for await (const { message } of prompt) {
        prompts.push(message)
        yield { type: 'result', subtype: 'success', is_error: false }
      }
    }
  })
  t.match(await endsOf(claude({ sdk }), [image(IMAGE)], open), [refused])
  t.match(await endsOf(claude({ sdk, allowUrl }), [image(IMAGE)], open), [{ reason: 'finished' }])
  t.match(prompts, [{ content: [{ source: { type: 'url', url: IMAGE } }] }])
})
