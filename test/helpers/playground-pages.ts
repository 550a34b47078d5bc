/* The playground in a real browser: pages of it, what they show, and what their consoles say. */
import Fastify, { type FastifyInstance } from 'fastify'
import type { BrowserContext, Locator, Page } from 'playwright-core'
import { test, type Test } from 'tap'
import agentRuns, { type AgentRunsOptions } from '../../index.ts'
import { playgroundRoutes } from '../../standalone/playground.ts'
import { newContext, noChromium } from './chromium-page.ts'
import { scriptedProvider, type ScriptedProvider } from './scripted-provider.ts'

/** What a test has of the browser. */
export interface Browsing {
  /** A page in a tab of one and the same browser, which keeps cookies for all. */
  open: (url: string) => Promise<PlaygroundPage>
  /** Lets the console say that, which the browser says by itself. */
  allow: (said: RegExp) => void
}

/** A test in Chromium. It fails if anything is said in a page's console, or thrown there and not caught. */
export function testPages (name: string, run: (t: Test, browsing: Browsing) => Promise<void>): void {
  test(name, { skip: noChromium }, async (t) => {
    let context: BrowserContext | undefined
    const said: string[] = []
    const allowed: RegExp[] = []
    const open = async (url: string): Promise<PlaygroundPage> => {
      context ??= await newContext(t)
      const page = await context.newPage()
      page.on('console', (message) => { if (['error', 'warning', 'assert'].includes(message.type())) said.push(message.text()) })
      page.on('pageerror', (error) => { said.push(error.stack ?? error.message) })
      await page.goto(url)
      return new PlaygroundPage(page)
    }
    await run(t, { open, allow: (each) => { allowed.push(each) } })
    t.strictSame(said.filter((line) => !allowed.some((each) => each.test(line))), [], 'the consoles are silent')
  })
}

/** The playground in front of an agent that the test drives. */
export async function servePlayground (t: Test, options: Partial<AgentRunsOptions> = {}): Promise<{ url: string, agent: ScriptedProvider, app: FastifyInstance }> {
  const agent = scriptedProvider()
  // A browser keeps connections in reserve; a server that closes would wait for them for ever.
  const app = Fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  await app.register(agentRuns, { providers: { agent }, store: ':memory:', closeGraceMs: 0, ...options })
  await app.register(playgroundRoutes, { settings: { prefix: '', providers: ['agent'], defaultProvider: 'agent', websocket: true, login: false } })
  return { app, agent, url: await app.listen({ port: 0, host: '127.0.0.1' }) }
}

/** How long a page may take to show what it is to show: it fails, rather than for ever wait, in ms. */
const PATIENCE_MS = 40_000

/** Each part of each run in a line, and how the run stands. */
const SHOWN = `[...document.querySelectorAll('.parts > *, .run-foot')].map((node) => (
  node.matches('.said') ? node.textContent : node.innerText.replaceAll(/\\s*\\n\\s*/g, ' | ')
))`

export class PlaygroundPage {
  readonly page: Page
  /** Where messages are written. */
  readonly message: Locator
  /** How the page is connected. */
  readonly connection: Locator

  constructor (page: Page) {
    this.page = page
    this.message = page.getByRole('textbox', { name: 'Message' })
    this.connection = page.locator('.connection')
  }

  button (name: string): Locator {
    return this.page.getByRole('button', { name, exact: true })
  }

  /** Writes a message, and sends it by Enter. */
  async send (content: string): Promise<void> {
    await this.message.fill(content)
    await this.message.press('Enter')
  }

  /** Waits until what was written has been taken, and is gone from where it was written. */
  async hasSent (): Promise<void> {
    while (await this.message.inputValue() !== '') await this.page.evaluate('new Promise(requestAnimationFrame)')
  }

  /** Waits until that is what the page shows; asserts it, and with that says what it shows instead. */
  async shows (t: Test, lines: string[]): Promise<void> {
    t.strictSame(await this.#shownOnce((shown) => JSON.stringify(shown) === JSON.stringify(lines)), lines)
  }

  /** Waits until a part, or the state of a run, is shown so. */
  async showsLine (line: string): Promise<void> {
    const shown = await this.#shownOnce((lines) => lines.includes(line))
    if (!shown.includes(line)) throw new Error(`The page does not show "${line}", but ${JSON.stringify(shown).slice(0, 2_000)}`)
  }

  /** What is shown once that is enough; else what is shown when patience ends. Asked for from outside: the page's policy lets nobody evaluate text in it. */
  async #shownOnce (enough: (lines: string[]) => boolean): Promise<string[]> {
    const patience = performance.now() + PATIENCE_MS
    for (;;) {
      const lines = await this.page.evaluate<string[]>(`new Promise((resolve) => requestAnimationFrame(() => resolve(${SHOWN})))`)
      if (enough(lines) || performance.now() > patience) return lines
    }
  }

  /** Waits until the connection is as these words say. */
  async connectionSays (words: string | RegExp): Promise<void> {
    await this.connection.getByText(words).waitFor()
  }
}
