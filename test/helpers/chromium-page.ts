/*
 * Pages of a real browser; tests that need one are skipped by name where there is none. `insecure.test` is this machine, to the
 * browser no secure origin.
 */
import { existsSync } from 'node:fs'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import tap, { type Test } from 'tap'

const executablePath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'
const absence = `Chromium is not installed at ${executablePath} (CHROMIUM_PATH says where it is)`

/**
 * Why there can be no page here, or false: as tap's `skip` wants it. On a developer's machine the browser may be absent;
 * where nobody looks, an absent one must not pass for a tested one.
 */
export const noChromium: string | false = existsSync(executablePath) || process.env['CI'] ? false : absence

let browser: Promise<Browser> | undefined
tap.teardown(async () => (await browser)?.close())

/** An empty page in a context of its own, closed with the test. */
export async function newPage (t: Test): Promise<Page> {
  return (await newContext(t)).newPage()
}

/** Something like a browser of one's own, closed with the test. */
export async function newContext (t: Test): Promise<BrowserContext> {
  const context = await (await (browser ??= launch())).newContext()
  t.teardown(() => context.close())
  return context
}

function launch (): Promise<Browser> {
  if (!existsSync(executablePath)) throw new Error(absence)
  return chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run', '--disable-sync', '--host-resolver-rules=MAP insecure.test 127.0.0.1']
  })
}
