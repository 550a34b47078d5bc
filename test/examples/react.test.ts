import { join } from 'node:path'
import { test } from 'tap'
import { newPage, noChromium } from '../helpers/chromium-page.ts'
import { spawnModule } from '../helpers/spawn-script.ts'
import { tempDir } from '../helpers/temp-dir.ts'

test('examples/react: a chat sends, goes on after a reload in mid-run, survives its server, asks for approvals and stops', { skip: noChromium }, async (t) => {
  const DATABASE = join(tempDir(t), 'runs.db')
  const start = async (PORT: string) => {
    const server = spawnModule(t, 'examples/react/server.ts', [], { PORT, DATABASE })
    await server.line('{"level":30')
    const listening = /http:\/\/(127\.0\.0\.1|localhost|\[::1\]):\d+/.exec(server.lines.join())
    return { server, url: listening![0] }
  }
  const { server, url } = await start('0')
  const page = await newPage(t)
  const shows = async (status: string, ...texts: string[]): Promise<void> => {
    await page.waitForSelector(`main[data-status="${status}"]`)
    await page.waitForFunction(`JSON.stringify([...document.querySelectorAll('p')].map(({ textContent }) => textContent)) === ${JSON.stringify(JSON.stringify(texts))}`)
  }
  const send = async (text: string): Promise<void> => {
    await page.fill('input', text)
    await page.press('input', 'Enter')
  }

  await page.goto(url)
  await send('one two three four five')
  await page.waitForFunction('document.body.textContent.includes("assistantone two") && !document.body.textContent.includes("assistantone two three four")')
  await page.reload()
  await shows('ready', 'one two three four five', 'one two three four five')

  await send('a very long message that nobody will ever read to its end')
  await page.waitForFunction('document.body.textContent.includes("assistanta very")')
  await page.click('text=Stop')
  await page.waitForSelector('main[data-status="ready"]')
  const id = new URL(page.url()).searchParams.get('session')
  const runs = async (): Promise<unknown[]> => ((await (await fetch(`${url}/sessions/${id!}/runs`)).json()) as { runs: Array<{ reason: string }> }).runs.map(({ reason }) => reason)
  t.strictSame(await runs(), ['aborted', 'finished'])

  await send('{"demo":{"mode":"approval","n":1}}')
  await page.waitForSelector('text=Allow')
  await page.reload()
  await page.click('text=Allow')
  await page.waitForSelector('text=output-available')
  await page.waitForSelector('main[data-status="ready"]')
  t.strictSame(await runs(), ['finished', 'aborted', 'finished'])

  await send('words that are lost with their server')
  await page.waitForFunction('document.body.textContent.includes("assistantwords")')
  await server.kill('SIGKILL')
  await start(new URL(url).port)
  await page.getByText('The server stopped before the run had ended.').waitFor()
  await send('and on')
  await page.waitForFunction('document.querySelector("main")?.dataset.status === "ready" && document.body.textContent.includes("assistantand on")')
  t.strictSame(await runs(), ['finished', 'interrupted', 'finished', 'aborted', 'finished'])
})
