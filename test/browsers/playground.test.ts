/* The playground in a real browser, in front of an agent that does what the test says. */
import type { Test } from 'tap'
import { latch } from '../helpers/latch.ts'
import { type Browsing, type PlaygroundPage, servePlayground, testPages } from '../helpers/playground-pages.ts'
import type { ScriptedRun } from '../helpers/scripted-provider.ts'

/** Says words, each as a delta of one message. */
async function say (run: ScriptedRun, ...words: string[]): Promise<void> {
  for (const content of words) await run.emit({ kind: 'stream_delta', messageId: 'm', content })
}

/** A page on which a message was sent, and the run that came of it. */
async function begin (t: Test, { open }: Browsing): Promise<{ page: PlaygroundPage, agent: Awaited<ReturnType<typeof servePlayground>>['agent'], run: ScriptedRun, url: string }> {
  const { url, agent } = await servePlayground(t)
  const page = await open(url)
  await page.send('go')
  const run = await agent.next()
  // The address is what other pages are opened at.
  await page.page.waitForURL('**/#/*')
  return { page, agent, run, url }
}

testPages('a message is sent, its session is there, and the answer grows until it is whole', async (t, { open }) => {
  const { url, agent } = await servePlayground(t)
  const page = await open(url)
  await page.message.fill('first line')
  await page.message.press('Shift+Enter')
  await page.message.pressSequentially('  <b>second</b> line')
  await page.message.press('Enter')
  const run = await agent.next()
  t.equal(run.context.content, 'first line\n  <b>second</b> line')
  await say(run, 'one ', 'two')
  await page.shows(t, ['You: first line\n  <b>second</b> line', 'Agent: one two', 'Working'])
  await page.hasSent()
  await say(run, '\nthree')
  await run.emit({ kind: 'text', messageId: 'm', content: 'one two\nthree' })
  run.end()
  await page.shows(t, ['You: first line\n  <b>second</b> line', 'Agent: one two\nthree', 'Finished'])

  await page.page.waitForURL(/\/#\/[\w-]+$/)
  await page.page.getByRole('heading', { name: 'first line' }).waitFor()
  const item = page.page.getByRole('navigation').getByRole('link', { name: 'first line' })
  t.strictSame([await item.getAttribute('aria-current'), await item.getAttribute('href')], ['page', new URL(page.page.url()).hash])
  t.equal(await page.page.title(), 'first line')
  await page.connectionSays('cursor 0 → seq 6')
  t.match(await page.page.locator('#announcer').textContent(), 'one two\nthree Finished.', 'who does not see it hears the answer once it is whole')
})

testPages('everything that an agent does has its place, and none of it is taken for markup', async (t, browsing) => {
  const { page, run } = await begin(t, browsing)
  const hostile = '<img src=x onerror=alert(1)>'
  await run.emit({ kind: 'thinking_delta', messageId: 't', content: `Let me ${hostile}` }, { kind: 'thinking', messageId: 't', content: `Let me ${hostile}` })
  await run.emit({ kind: 'plan', entries: [{ content: 'Look', status: 'completed' }, { content: 'Do', status: 'pending' }] })
  await run.emit({ kind: 'tool_use', toolId: '1', toolName: 'read', toolInput: { path: '/a' } }, { kind: 'tool_update', toolId: '1', status: 'reading' })
  await run.emit({ kind: 'tool_result', toolId: '1', toolResult: { content: hostile, isError: false } })
  await run.emit({ kind: 'tool_use', toolId: '2', toolName: 'write', toolInput: {} }, { kind: 'tool_result', toolId: '2', toolResult: { content: 'No.', isError: true } })
  await run.emit({ kind: 'tool_use', toolId: '3', toolName: 'wait', toolInput: {} }, { kind: 'tool_update', toolId: '3', status: 'waiting' })
  await run.emit({ kind: 'error', code: 'ODD', message: hostile }, { kind: 'custom', name: 'weather', data: { celsius: 3 } })
  await run.emit({ kind: 'usage', inputTokens: 1200, outputTokens: 7 }, { kind: 'status', text: 'Reading the news' })
  await say(run, `${hostile} \`co`, 'de`:\n``', '`js\nif (a', ' < b) {\n}\n``', '`\nend')
  const parts = [
    'You: go', 'Reasoning', 'Plan | ✓Look | (completed) | ○Do | (pending)', 'read done', 'write failed', 'wait waiting', `${hostile} (ODD)`, 'weather',
    `Agent: ${hostile} code:jsCopyif (a < b) {\n}end`
  ]
  await page.shows(t, [...parts, 'Reading the news'])
  await page.page.getByText('read', { exact: true }).click()
  const [input, result] = await page.page.locator('details.tool[open] .value').allTextContents()
  t.strictSame([input, result], ['{\n  "path": "/a"\n}', hostile])
  t.strictSame(await page.page.locator('.prose code, pre code').allTextContents(), ['code', 'if (a < b) {\n}'])
  run.end()
  await page.shows(t, [...parts.map((part) => part === 'read done' ? `${part} | Input | { | "path": "/a" | } | Result | ${hostile}` : part), 'Finished · 1,200 tokens in, 7 tokens out'])
  t.equal(await page.page.locator('img').count(), 0)
})

testPages('a page that is reloaded in the middle of a run shows what it showed, and goes on', async (t, browsing) => {
  const { page, run } = await begin(t, browsing)
  await say(run, 'one ', 'two ')
  await page.shows(t, ['You: go', 'Agent: one two ', 'Working'])
  await page.page.reload()
  await page.shows(t, ['You: go', 'Agent: one two ', 'Working'])
  await say(run, 'three')
  run.end()
  await page.shows(t, ['You: go', 'Agent: one two three', 'Finished'])
  await page.page.reload()
  await page.shows(t, ['You: go', 'Agent: one two three', 'Finished'])
  await page.connectionSays('cursor 6 → seq 6')
})

testPages('a second tab shows the same, and stops the run; the first can with Escape', async (t, browsing) => {
  const { page, run, agent } = await begin(t, browsing)
  await say(run, 'half')
  const other = await browsing.open(page.page.url())
  await other.shows(t, ['You: go', 'Agent: half', 'Working'])
  await other.button('Stop').click()
  await run.stopped.promise
  for (const each of [page, other]) await each.shows(t, ['You: go', 'Agent: half', 'Stopped'])

  await other.send('again')
  const second = await agent.next()
  await page.showsLine('You: again')
  await page.page.keyboard.press('Escape')
  await second.stopped.promise
  for (const each of [page, other]) await each.shows(t, ['You: go', 'Agent: half', 'Stopped', 'You: again', 'Stopped'])
})

testPages('approvals are answered on any page, by the answers that they have, and shown answered on all', async (t, browsing) => {
  const { page, run } = await begin(t, browsing)
  const other = await browsing.open(page.page.url())
  const both = async (lines: string[]): Promise<void> => { for (const each of [page, other]) await each.shows(t, lines) }
  const asked = run.context.requestPermission({ toolName: 'rm', input: { path: '/' } })
  const title = 'The agent asks for leave to use rm | { | "path": "/" | }'
  await both(['You: go', `${title} | Allow | Deny`, 'Waits for an answer'])
  await other.button('Deny').click()
  t.strictSame(await asked, { allow: false })
  await both(['You: go', `${title} | Denied`, 'Working'])

  const again = run.context.requestPermission({
    toolName: 'ls', input: {}, options: [{ optionId: 'a', name: 'Always', kind: 'allow_always' }, { optionId: 'n', name: 'Never', kind: 'reject_always' }]
  })
  await page.button('Always').click()
  t.strictSame(await again, { allow: true, optionId: 'a' })
  await both(['You: go', `${title} | Denied`, 'The agent asks for leave to use ls | {} | Allowed: Always', 'Working'])
  const last = run.context.requestPermission({ toolName: 'ls', input: {} })
  await page.button('Allow').waitFor()
  run.end()
  await last.catch(() => {})
  await both(['You: go', `${title} | Denied`, 'The agent asks for leave to use ls | {} | Allowed: Always', 'The agent asks for leave to use ls | {} | Not answered: the run was finished', 'Finished'])
})

testPages('while a run is running messages wait, can be cancelled, or interrupt it', async (t, browsing) => {
  const { page, run, agent } = await begin(t, browsing)
  const other = await browsing.open(page.page.url())
  const waiting = (each: PlaygroundPage) => each.page.locator('.waiting-messages li')
  await page.button('Queue').waitFor()
  for (const text of ['second', 'third']) {
    await page.message.fill(text)
    await page.button('Queue').click()
    await waiting(page).filter({ hasText: text }).waitFor()
  }
  t.strictSame(await waiting(page).allInnerTexts(), ['queued\nsecond\nCancel', 'queued\nthird\nCancel'])
  await waiting(page).filter({ hasText: 'second' }).getByRole('button').click()
  for (const each of [page, other]) {
    await waiting(each).filter({ hasText: 'second' }).waitFor({ state: 'hidden' })
    t.strictSame(await waiting(each).allInnerTexts(), ['queued\nthird\nCancel'])
  }
  await other.page.reload()
  await waiting(other).filter({ hasText: 'third' }).waitFor()

  run.end()
  const third = await agent.next()
  t.equal(third.context.content, 'third')
  await say(third, 'three')
  const soFar = ['You: go', 'Finished', 'You: second', 'Stopped', 'You: third', 'Agent: three']
  for (const each of [page, other]) {
    await each.shows(t, [...soFar, 'Working'])
    await waiting(each).first().waitFor({ state: 'hidden' })
  }
  await other.message.fill('now')
  await other.button('Interrupt').click()
  await third.stopped.promise
  const now = await agent.next()
  now.end()
  for (const each of [page, other]) await each.shows(t, [...soFar, 'Stopped', 'You: now', 'Finished'])
})

testPages('a page that does not know that a run is running is told, keeps the message, and lets one choose', async (t, browsing) => {
  const { page, run, agent, url } = await begin(t, browsing)
  run.end()
  await page.showsLine('Finished')
  await page.button('Cut the connection').click()
  await fetch(`${url}/sessions/${page.page.url().split('#/')[1]!}/messages`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"content":"from elsewhere"}' })
  const second = await agent.next()
  browsing.allow(/^Failed to load resource: .* 409 /)
  await page.send('mine')
  await page.page.getByRole('alert').getByText('queue the message behind it, or interrupt it').waitFor()
  t.equal(await page.message.inputValue(), 'mine')
  await page.button('Queue').click()
  await page.page.locator('.waiting-messages li').getByText('mine').waitFor()
  second.end()
  ;(await agent.next()).end()
  await page.button('Resume').click()
  await page.shows(t, ['You: go', 'Finished', 'You: from elsewhere', 'Finished', 'You: mine', 'Finished'])
})

testPages('what is being sent stays with its session, and what was written in another is there again', async (t, browsing) => {
  const { page, run, agent } = await begin(t, browsing)
  run.end()
  await page.showsLine('Finished')
  const go = page.page.getByRole('navigation').getByRole('link', { name: 'go' })
  await page.button('New session').click()
  await page.send('other')
  ;(await agent.next()).end()
  await page.showsLine('You: other')
  await page.showsLine('Finished')
  await page.hasSent()
  await page.message.fill('a draft')
  await go.click()
  await page.showsLine('You: go')
  t.equal(await page.message.inputValue(), '')

  const [sending, sent] = [latch(), latch()]
  await page.page.route('**/messages', async (route) => {
    if (route.request().method() === 'POST') {
      sending.open()
      await sent.promise
    }
    await route.continue()
  })
  await page.send('slowly')
  await sending.promise
  await page.page.getByRole('navigation').getByRole('link', { name: 'other' }).click()
  await page.showsLine('You: other')
  t.equal(await page.message.inputValue(), 'a draft')
  sent.open()
  ;(await agent.next()).end()
  await go.click()
  await page.showsLine('You: slowly')
  await page.hasSent()
  await page.page.getByRole('navigation').getByRole('link', { name: 'other' }).click()
  await page.showsLine('You: other')
  t.equal(await page.message.inputValue(), 'a draft')
})

testPages('a page that is cut hears nothing, can send, and has everything once it is back, each once', async (t, browsing) => {
  const { page, run, agent } = await begin(t, browsing)
  await say(run, 'one ')
  await page.shows(t, ['You: go', 'Agent: one ', 'Working'])
  await page.button('Cut the connection').click()
  await page.connectionSays('Cut: what runs goes on without you')
  await say(run, 'two ', 'three')
  run.end()
  // Another page has it all by now.
  const other = await browsing.open(page.page.url())
  await other.shows(t, ['You: go', 'Agent: one two three', 'Finished'])
  await page.shows(t, ['You: go', 'Agent: one ', 'Working'])
  await page.message.fill('while cut')
  await page.button('Queue').click()
  const second = await agent.next()
  await page.page.locator('.waiting-messages').getByText('sent').waitFor()
  await page.shows(t, ['You: go', 'Agent: one ', 'Working'])
  await page.button('Resume').click()
  await page.shows(t, ['You: go', 'Agent: one two three', 'Finished', 'You: while cut', 'Working'])
  await page.connectionSays('cursor 2 → seq 7')
  await page.page.locator('.waiting-messages').waitFor({ state: 'hidden' })
  second.end()
  await page.showsLine('Finished')
})

testPages('a page that changes from Server-Sent Events to the WebSocket in the middle of a run loses nothing, and remembers what was chosen', async (t, browsing) => {
  const { page, run } = await begin(t, browsing)
  const sockets: string[] = []
  page.page.on('websocket', (socket) => { sockets.push(new URL(socket.url()).pathname) })
  await say(run, 'one ')
  await page.shows(t, ['You: go', 'Agent: one ', 'Working'])
  const transport = page.page.getByRole('combobox', { name: 'Transport' })
  await transport.selectOption('WebSocket')
  await page.connectionSays('cursor 2 → seq 2')
  await say(run, 'two ')
  await page.shows(t, ['You: go', 'Agent: one two ', 'Working'])
  t.strictSame(sockets, ['/ws'])
  await page.page.reload()
  await page.shows(t, ['You: go', 'Agent: one two ', 'Working'])
  t.equal(await transport.inputValue(), 'websocket')
  await transport.selectOption('SSE')
  await page.connectionSays('cursor 3 → seq 3')
  await say(run, 'three')
  run.end()
  await page.shows(t, ['You: go', 'Agent: one two three', 'Finished'])
})
