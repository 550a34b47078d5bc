/* The playground in a real browser, in front of the server of `npm start`: which dies and comes back, and which wants to know who asks. */
import { join } from 'node:path'
import type { Test } from 'tap'
import { tokensFile } from '../helpers/build-standalone.ts'
import { testPages } from '../helpers/playground-pages.ts'
import { type ScriptProcess, spawnModule } from '../helpers/spawn-script.ts'
import { tempDir } from '../helpers/temp-dir.ts'

async function serve (t: Test, args: string[]): Promise<{ server: ScriptProcess, url: string }> {
  const server = spawnModule(t, 'standalone/server.ts', ['--log-level', 'fatal', ...args])
  const [, url] = /Try it in a browser, at (\S+),/.exec(await server.line('fastify-agent-runs is listening'))!
  return { server, url: url! }
}

const script = (demo: object): string => JSON.stringify({ demo: { kind: 'stream_delta', nonce: 'n', ...demo } })

testPages('a page whose server is killed in the middle of a run, and started again, goes on by itself and says that the run was interrupted', async (t, { open, allow }) => {
  // What the browser itself says of connections that break.
  allow(/^Failed to load resource: net::/)
  const db = join(tempDir(t), 'runs.db')
  const { server, url } = await serve(t, ['--port', '0', '--db', db])
  const page = await open(url)
  const hang = script({ mode: 'hang', n: 3, at: 2 })
  await page.send(hang)
  await page.shows(t, [`You: ${hang}`, 'Agent: @@n:1@@@@n:2@@', 'Working'])
  await server.kill('SIGKILL')
  await page.connectionSays(/^The server cannot be reached\. Again in \d+ s$/)
  await page.shows(t, [`You: ${hang}`, 'Agent: @@n:1@@@@n:2@@', 'Working'])
  await page.send('is anybody there?')
  await serve(t, ['--port', new URL(url).port, '--db', db])
  const interrupted = [`You: ${hang}`, 'Agent: @@n:1@@@@n:2@@', 'Interrupted: The server stopped before the run had ended. (RUN_INTERRUPTED)']
  await page.connectionSays(/^Live/)
  // The message comes through once somebody is there to take it; unless that took too long: then the page says so, and keeps it.
  await Promise.race([page.hasSent(), page.page.getByRole('alert').waitFor().catch(() => {})])
  if (await page.message.inputValue() !== '') await page.button('Send').click()
  await page.shows(t, [...interrupted, 'You: is anybody there?', 'Agent: is anybody there?', 'Finished'])
  await page.page.reload()
  await page.shows(t, [...interrupted, 'You: is anybody there?', 'Agent: is anybody there?', 'Finished'])
})

testPages('a page that waits for its server tries at once when it is told to', async (t, { open, allow }) => {
  allow(/^Failed to load resource: net::/)
  const db = join(tempDir(t), 'runs.db')
  const { server, url } = await serve(t, ['--port', '0', '--db', db])
  const page = await open(url)
  await page.send('hello')
  await page.shows(t, ['You: hello', 'Agent: hello', 'Finished'])
  t.equal(await page.button('Try now').isVisible(), false)
  await server.kill('SIGKILL')
  // Until the waits are long.
  await page.connectionSays(/Again in (4|5|6|7|8) s$/)
  await serve(t, ['--port', new URL(url).port, '--db', db])
  await page.button('Try now').click()
  await page.connectionSays(/^Live/)
  t.equal(await page.button('Try now').isVisible(), false)
})

testPages('with --tokens the page asks who one is, shows what is theirs, and nothing of it once they have left', async (t, { open, allow }) => {
  allow(/^Failed to load resource: .* 401 /)
  const tokens = tokensFile(t, [{ token: 'the-token-of-alice', owner: 'alice' }, { token: 'the-token-of-bob', owner: 'bob' }])
  const { url } = await serve(t, ['--port', '0', '--db', ':memory:', '--prefix', '/api', '--tokens', tokens])
  const page = await open(url)
  const token = page.page.getByLabel('Token')
  const logIn = async (text: string): Promise<void> => {
    await token.fill(text)
    await token.press('Enter')
  }
  await page.page.getByRole('dialog', { name: 'Log in' }).waitFor()
  await page.page.keyboard.press('Escape')
  await logIn('the-token-of-nobody')
  await page.page.getByRole('alert').getByText('The server does not know this token.').waitFor()
  await logIn('the-token-of-alice')
  await token.waitFor({ state: 'hidden' })
  await page.send('hers')
  await page.shows(t, ['You: hers', 'Agent: hers', 'Finished'])
  await page.page.waitForURL('**/#/*')
  const hers = page.page.url()
  const second = await open(hers)
  await second.shows(t, ['You: hers', 'Agent: hers', 'Finished'])

  await page.button('Log out').click()
  await page.page.getByRole('dialog', { name: 'Log in' }).waitFor()
  await page.shows(t, [])
  t.strictSame(await page.page.getByRole('navigation').getByRole('link').count(), 0)
  await logIn('the-token-of-bob')
  await token.waitFor({ state: 'hidden' })
  await page.page.getByText('No sessions yet.').waitFor()
  allow(/^Failed to load resource: .* 404 /)
  await page.page.goto(hers)
  await page.page.getByRole('alert').getByText(/^Session ".*" does not exist\.$/).waitFor()
  await page.page.getByRole('main').getByRole('button', { name: 'New session' }).click()
  await page.page.getByRole('heading', { name: 'Start a session' }).waitFor()
})

testPages('the buttons of the empty page begin what they say', async (t, { open }) => {
  const { url } = await serve(t, ['--port', '0', '--db', ':memory:'])
  const page = await open(url)
  await page.button('A tool and an approval').click()
  await page.button('Allow once').click()
  await page.showsLine('Finished')
  await page.showsLine('The agent asks for leave to use demo | Allowed: Allow once')
  await page.showsLine('demo done')
  await page.button('New session').click()
  await page.button('A run that fails').click()
  await page.showsLine('Failed: The provider failed. (PROVIDER_FAILED)')
  await page.button('New session').click()
  await page.button('A long answer').click()
  await page.page.locator('pre code').waitFor()
  await page.button('Stop').click()
  await page.showsLine('Stopped')
  const titles = page.page.getByRole('navigation').getByRole('link')
  await titles.nth(2).waitFor()
  t.strictSame(await titles.locator('.session-title').allTextContents(), ['A long answer', 'A run that fails', 'A tool and an approval'])
})

testPages('options that are no JSON are not sent, and those that the provider does not take are refused, in words', async (t, { open, allow }) => {
  allow(/^Failed to load resource: .* 400 /)
  const { url } = await serve(t, ['--port', '0', '--db', ':memory:'])
  const page = await open(url)
  await page.page.locator('.options summary').click()
  const options = page.page.getByLabel('Options of the provider, as JSON')
  await options.fill('[1]')
  await page.send('hello')
  await page.page.getByText('The options must be a JSON object').waitFor()
  t.strictSame([await options.getAttribute('aria-invalid'), await page.message.inputValue(), new URL(page.page.url()).hash], ['true', 'hello', ''])
  await options.fill('{"model":"x"}')
  await page.send('hello')
  await page.page.getByRole('alert').getByText('this provider takes none').waitFor()
  t.equal(await page.message.inputValue(), 'hello')
  await options.fill('')
  await page.message.press('Enter')
  await page.shows(t, ['You: hello', 'Agent: hello', 'Finished'])
})

testPages('a message whose answers are lost is kept, and sent again it is the same message', async (t, { open, allow }) => {
  allow(/^Failed to load resource: net::/)
  const { url } = await serve(t, ['--port', '0', '--db', ':memory:'])
  const page = await open(url)
  await page.send('first')
  await page.showsLine('Finished')
  let lost = 0
  await page.page.route('**/messages', async (route) => {
    await route.fetch()
    lost++
    await route.abort()
  })
  await page.send('only once')
  await page.page.getByRole('alert').getByText('The server cannot be reached.').waitFor()
  t.ok(lost > 0)
  t.equal(await page.message.inputValue(), 'only once')
  await page.page.unroute('**/messages')
  await page.message.press('Enter')
  await page.hasSent()
  await page.send('last')
  await page.shows(t, ['You: first', 'Agent: first', 'Finished', 'You: only once', 'Agent: only once', 'Finished', 'You: last', 'Agent: last', 'Finished'])
})
