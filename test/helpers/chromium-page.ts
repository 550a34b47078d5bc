/* Pages of a real browser; tests that need one are skipped by name where there is none. */
import { existsSync } from 'node:fs'
import { chromium, type Browser, type Page } from 'playwright-core'
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
  const context = await (await (browser ??= launch())).newContext()
  t.teardown(() => context.close())
  return context.newPage()
}

function launch (): Promise<Browser> {
  if (!existsSync(executablePath)) throw new Error(absence)
  return chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run', '--disable-sync']
  })
}
