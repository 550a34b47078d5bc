/* The playground in a real browser: reading long sessions, by keyboard, and keeping them in order. */
import type { Page } from 'playwright-core'
import { echo } from '../../providers/echo/echo.ts'
import { servePlayground, testPages } from '../helpers/playground-pages.ts'
import { postJson } from '../helpers/read-sse.ts'

const BOX = 'document.querySelector(".scroll")'
const atEnd = (page: Page): Promise<boolean> => page.evaluate(`${BOX}.scrollHeight - ${BOX}.scrollTop - ${BOX}.clientHeight < 2`)

testPages('a long history comes page by page, whole, and the reader stays where they read', async (t, { open }) => {
  const { url } = await servePlayground(t, { providers: { agent: echo({ delayMs: 0 }) } })
  const lines: string[] = []
  for (let i = 1; i <= 60; i++) {
    const run = await fetch(`${url}/sessions/long/messages`, {
      method: 'POST', headers: { 'content-type': 'application/json', accept: 'text/event-stream' }, body: JSON.stringify({ content: `message ${i}` })
    })
    await run.text()
    lines.push(`You: message ${i}`, `Agent: message ${i}`, 'Finished')
  }
  const page = await open(`${url}#/long`)
  await page.showsLine('You: message 60')
  t.ok(await atEnd(page.page), 'it opens at the end')
  const older = page.button('Show what came before')
  await page.page.evaluate(`${BOX}.scrollTop = 0`)
  const place = page.page.getByText('message 40', { exact: true }).first()
  const before = (await place.boundingBox())!.y
  await older.click()
  // A page ends in the middle of a run.
  await page.shows(t, lines)
  t.ok(Math.abs((await place.boundingBox())!.y - before) <= 1, 'but for a fraction of a pixel')
  t.ok(await older.isHidden(), 'there is nothing before it')
})

testPages('who has scrolled up is left alone until they jump to the latest; who is at the end stays there', async (t, { open }) => {
  const { url, agent } = await servePlayground(t)
  const page = await open(url)
  await page.send('go')
  const run = await agent.next()
  const say = (from: number, to: number): Promise<void> => run.emit(...Array.from({ length: to - from }, (_, i) => ({ kind: 'stream_delta', messageId: 'm', content: `line ${from + i}\n` })))
  const says = (last: number) => page.page.waitForSelector(`.prose:has-text("line ${last}")`)
  await say(0, 200)
  await says(199)
  t.ok(await atEnd(page.page))
  const jump = page.button('Jump to latest')
  t.ok(await jump.isHidden())
  await page.page.evaluate(`${BOX}.scrollTop = 300`)
  await jump.waitFor()
  await say(200, 300)
  await says(299)
  t.equal(await page.page.evaluate(`${BOX}.scrollTop`), 300)
  await jump.click()
  t.ok(await atEnd(page.page))
  await say(300, 400)
  await says(399)
  t.ok(await atEnd(page.page))
  t.ok(await jump.isHidden())
})

testPages('thousands of deltas are appended to what is there, and two hundred runs are each their own', async (t, { open }) => {
  const { url } = await servePlayground(t, { providers: { agent: echo({ delayMs: 0 }) } })
  await postJson(`${url}/sessions`, { id: 's' })
  const page = await open(`${url}#/s`)
  const script = JSON.stringify({ demo: { n: 5_000, gapMs: 1, kind: 'stream_delta', nonce: 'n' } })
  await postJson(`${url}/sessions/s/messages`, { content: script })
  await page.page.locator('.assistant .prose').waitFor()
  await page.page.evaluate('document.querySelector(".assistant .prose").firstChild.kept = true')
  await page.showsLine('Finished')
  const text = Array.from({ length: 5_000 }, (_, i) => `@@n:${i + 1}@@`).join('')
  await page.shows(t, [`You: ${script}`, `Agent: ${text}`, 'Finished'])
  t.strictSame(await page.page.evaluate('[...document.querySelector(".assistant .prose").childNodes].map(({ kept }) => kept)'), [true], 'one node, the same')

  for (let i = 1; i <= 200; i++) {
    const { body } = await postJson(`${url}/sessions/s/messages`, { content: `message ${i}`, onBusy: 'queue' })
    while (((await (await fetch(`${url}/runs/${body['runId'] as string}`)).json()) as { status: string }).status !== 'completed');
  }
  await page.showsLine('Agent: message 200')
  t.equal(await page.page.locator('.run').count(), 201)
})

testPages('all of it can be done by keyboard, and one sees where one is', async (t, { open }) => {
  const { url, agent } = await servePlayground(t)
  const page = await open(url)
  const { keyboard } = page.page
  const focused = (): Promise<{ words: string, seen: boolean }> => page.page.evaluate(`(() => {
    const { activeElement: node } = document
    const seen = node === document.body || [node, node.closest('.field')].some((each) => each !== null && getComputedStyle(each).outlineStyle !== 'none')
    return { words: node.getAttribute('aria-label') ?? node.textContent, seen }
  })()`)
  const hidden: string[] = []
  /** Goes on by Tab until that has the focus; all on the way can be seen to have it. */
  const tabTo = async (words: string, key = 'Tab'): Promise<void> => {
    for (let steps = 0; steps < 40; steps++) {
      const now = await focused()
      if (!now.seen) hidden.push(now.words)
      if (steps > 0 && now.words === words) return
      await keyboard.press(key)
    }
    throw new Error(`Tab does not come to "${words}"`)
  }

  await keyboard.press('Tab')
  t.strictSame(await focused(), { words: 'Skip to the message', seen: true })
  await keyboard.press('Enter')
  await keyboard.type('go')
  await keyboard.press('Enter')
  const run = await agent.next()
  await page.showsLine('You: go')
  t.strictSame(await focused(), { words: 'Message', seen: true })
  const asked = run.context.requestPermission({ toolName: 'rm', input: {} })
  await page.button('Allow').waitFor()
  await tabTo('Allow', 'Shift+Tab')
  await keyboard.press('Enter')
  t.strictSame(await asked, { allow: true })
  await page.page.getByText('Allowed').waitFor()
  t.strictSame((await focused()).words, 'Allowed', 'the place in the page is not lost with the button')
  await keyboard.press('Escape')
  await page.showsLine('Stopped')

  await tabTo('Rename', 'Shift+Tab')
  await keyboard.press('Enter')
  await keyboard.type('A better name')
  await keyboard.press('Enter')
  await page.page.getByRole('heading', { name: 'A better name' }).waitFor()
  await page.page.getByRole('navigation').getByRole('link', { name: 'A better name' }).waitFor()
  await tabTo('Delete')
  await keyboard.press('Enter')
  await page.page.getByRole('dialog', { name: 'Delete the session?' }).waitFor()
  await keyboard.press('Escape')
  t.match(page.page.url(), '#/')
  await page.shows(t, ['You: go', 'The agent asks for leave to use rm | {} | Allowed', 'Stopped'])
  await keyboard.press('Enter')
  await tabTo('Delete')
  await keyboard.press('Enter')
  await page.page.getByText('The session was deleted.').waitFor()
  await page.page.getByRole('heading', { name: 'Start a session' }).waitFor()
  t.strictSame(hidden, [], 'whatever had the focus on the way')
})

testPages('what one page renames or deletes the others follow; and colours, once chosen, stay', async (t, { open }) => {
  const { url, agent } = await servePlayground(t)
  const page = await open(url)
  await page.send('go')
  await agent.next()
  await page.showsLine('Working')
  await page.page.waitForURL('**/#/*')
  const other = await open(page.page.url())
  await other.showsLine('Working')
  await page.button('Rename').click()
  await page.page.getByRole('textbox', { name: 'Title' }).fill('Renamed')
  await page.page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click()
  await page.page.getByRole('heading', { name: 'Renamed' }).waitFor()
  await other.page.evaluate('void document.dispatchEvent(new Event("visibilitychange"))')
  await other.page.getByRole('heading', { name: 'Renamed' }).waitFor()
  await page.button('Delete').click()
  await page.page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  for (const each of [page, other]) {
    await each.page.getByRole('heading', { name: 'Start a session' }).waitFor()
    await each.page.getByText('No sessions yet.').waitFor()
  }
  await other.page.getByText('The session was deleted.').waitFor()

  const ground = (): Promise<string> => page.page.evaluate('getComputedStyle(document.body).backgroundColor')
  const light = await ground()
  await page.button('Dark').click()
  const dark = await ground()
  t.not(dark, light)
  await page.page.reload()
  await page.button('Light').waitFor()
  t.equal(await ground(), dark)
})

testPages('a text looks the same in however many pieces it came', async (t, { open }) => {
  const { url } = await servePlayground(t)
  const page = await open(url)
  const texts = [
    'a `b` c\n```js\nlet x = `1`\n\n```\nd', '```\nnever closed\n``', '``` no fence\n`open\n``', '~~~~\n```\n~~~\n~~~~\n\n\nend\n', '\n\n  spaces  kept\n\t`x` `y``z`\n```', '```a```\n````\n```\n````'
  ]
  const looks: Array<[whole: string, pieces: string]> = await page.page.evaluate(`(async () => {
    const { TextView } = await import('/playground/text-view.js')
    return ${JSON.stringify(texts)}.map((text) => {
      const whole = new TextView()
      whole.update(text, false)
      const pieces = new TextView()
      for (let end = 0; end <= text.length; end++) pieces.update(text.slice(0, end), true)
      pieces.update(text, false)
      return [whole.node.innerHTML, pieces.node.innerHTML]
    })
  })()`)
  for (const [index, [whole, pieces]] of looks.entries()) t.equal(pieces, whole, JSON.stringify(texts[index]))
  const plain = (html: string): string => html.replaceAll(/<figcaption>.*?<\/figcaption>/g, '')
  t.strictSame(looks.map(([whole]) => plain(whole)), [
    '<div class="prose">a <code>b</code> c</div><figure class="code"><pre><code>let x = `1`\n</code></pre></figure><div class="prose">d</div>',
    '<figure class="code"><pre><code>never closed\n``</code></pre></figure>',
    '<div class="prose">``` no fence\n`open\n``</div>',
    '<figure class="code"><pre><code>```\n~~~</code></pre></figure><div class="prose">\n\nend</div>',
    '<div class="prose">\n\n  spaces  kept\n\t<code>x</code> `y``z`\n```</div>',
    '<div class="prose">```a```</div><figure class="code"><pre><code>```</code></pre></figure>'
  ])
})
