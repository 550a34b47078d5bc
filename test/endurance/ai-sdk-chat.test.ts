/* The chats of AI SDK 5, 6 and 7 on a session's log: whatever happens to the page, in the end it shows what the log has. */
import { setTimeout as delay } from 'node:timers/promises'
import { test, type Test } from 'tap'
import { createClient } from '../../client/index.ts'
import type { Event, Provider, RunRegistry } from '../../index.ts'
import { loggedChat, type PlainChat, type Version } from '../helpers/ai-sdk-chats.ts'
import { serveApp } from '../helpers/build-app.ts'
import { CuttingProxy } from '../helpers/cutting-proxy.ts'
import { random } from '../helpers/random.ts'

const SCHEDULES = 100
const AT_ONCE = 10
const STEPS = 14
const DEADLINE_MS = 10_000

/** Says its message back, piece by piece; fails, or calls a tool, if it is told to. */
const agent: Provider = {
  async * run ({ content, signal }) {
    const { below } = random(Number((content as string).replaceAll(/\D/g, '')))
    for (let piece = 0, pieces = below(8); piece < pieces; piece++) {
      await delay(below(6), undefined, { signal }).catch(() => {})
      yield { kind: 'stream_delta', messageId: 'm', content: `${content as string}.${piece} ` }
    }
    yield { kind: 'stream_end', messageId: 'm' }
    if (below(4) === 0) {
      yield { kind: 'tool_use', toolId: 't', toolName: 'look', toolInput: {} }
      yield { kind: 'tool_result', toolId: 't', toolResult: { content: 'seen', isError: false } }
      yield { kind: 'text', content: 'looked' }
    }
    if (below(6) === 0) throw new Error('no')
  }
}

/** What a page shows: each message with its text, and how its run ended. */
const shown = ({ messages }: PlainChat): string[] => (messages as Array<PlainChat['messages'][number] & { metadata: { run: { reason: string | null, pending?: string } } }>)
  .map(({ role, parts, metadata: { run } }) => `${role} ${parts.map(({ text = '' }) => text).join('')} ${run.pending ?? run.reason}`)

/** The same by the log, read by other code. */
function expected (events: Event[]): string[] {
  const lines: string[] = []
  for (const complete of events.filter((event) => event.kind === 'complete')) {
    const texts = events.filter((event) => event.kind === 'text').filter(({ runId }) => runId === complete.runId)
    const of = (wanted: string): string => texts.filter(({ role }) => role === wanted).map(({ content }) => content as string).join('')
    lines.push(`user ${of('user')} ${complete.reason}`, `assistant ${of('assistant')} ${complete.reason}`)
  }
  return lines
}

/** One schedule; answers what was wrong. */
async function schedule (t: Test, version: Version, seed: number, app: { agentRuns: RunRegistry }, url: string): Promise<string[]> {
  const { pick, below } = random(seed)
  const proxy = await CuttingProxy.open(t, url)
  const id = `s${seed}`
  const client = createClient(proxy.url, { retry: { minMs: 1, maxMs: 20 } })
  const faults: string[] = []
  const open = () => {
    const chat = loggedChat(version, { id, client })
    let close = chat.connect()
    void chat.until(() => {
      const ids = chat.messages.map(({ id }) => id)
      if (new Set(ids).size < ids.length) faults.push(`two messages with one id: ${ids.join()}`)
      return false
    })
    return { chat, close: () => close(), background: async () => { close(); await delay(below(15)); close = chat.connect() } }
  }
  let [page, twin] = [open(), open()]
  const kept: string[] = []
  let text = seed * 1_000
  for (let step = 0; step < STEPS; step++) {
    const action = pick(['send', 'send', 'send', 'twin', 'cut', 'background', 'reload', 'stop', 'wait'])
    if (action === 'send' || action === 'twin') {
      const { chat } = action === 'send' ? page : twin
      kept.push(`t${++text}`)
      void chat.sendMessage({ text: `t${text}` })
    } else if (action === 'cut') proxy.cut()
    else if (action === 'background') await page.background()
    else if (action === 'stop') void page.chat.stop()
    else if (action === 'reload') {
      // What is on its way may be lost with the page, as in any.
      while (page.chat.messages.some((message) => (message as { metadata?: { run: { pending?: string } } }).metadata?.run.pending === 'sending')) await delay(1)
      page.close()
      page = open()
    }
    await delay(below(12))
  }
  const deadline = Date.now() + DEADLINE_MS
  const isWhole = async (): Promise<boolean> => {
    const events = (await app.agentRuns.getSession(id)) === null ? [] : (await app.agentRuns.history(id, { limit: 500 })).events
    const want = expected(events)
    const has = (chat: PlainChat): boolean => JSON.stringify(shown(chat)) === JSON.stringify(want)
    const all = kept.every((each) => want.filter((line) => line.startsWith(`user ${each} `)).length === 1)
    if (has(page.chat) && has(twin.chat) && all && !await app.agentRuns.isProcessing(id)) return true
    if (Date.now() > deadline) faults.push(`the log has\n${want.join('\n')}\nof ${kept.join()}; the page shows\n${shown(page.chat).join('\n')}\nthe other\n${shown(twin.chat).join('\n')}`)
    return Date.now() > deadline
  }
  while (!await isWhole()) await delay(10)
  const status = expected((await app.agentRuns.history(id, { limit: 500 }).catch(() => ({ events: [] }))).events).at(-1)?.endsWith(' failed') === true ? 'error' : 'ready'
  if (faults.length === 0 && (page.chat.status !== status || twin.chat.status !== status)) faults.push(`the status is ${page.chat.status}, not ${status}`)
  for (const each of [page, twin]) each.close()
  client.close()
  return faults
}

for (const version of [5, 6, 7] as const) {
  test(`AI SDK ${version}: ${SCHEDULES} schedules of sends, cuts, reloads, a page in the background, another tab, stops and a queue`, async (t) => {
    const { app, url } = await serveApp(t, { providers: { agent }, limits: { queuedPerSession: 100 } })
    const faults: string[] = []
    for (let first = 1; first <= SCHEDULES; first += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, async (_, index) => {
        for (const fault of await schedule(t, version, first + index, app, url)) faults.push(`seed ${first + index}: ${fault}`)
      }))
    }
    t.strictSame(faults, [])
  })
}
