/* The page of /docs, in Chromium. */
import type { Page } from 'playwright-core'
import { test, type Test } from 'tap'
import { buildStandalone, tokensFile } from '../helpers/build-standalone.ts'
import { newPage, noChromium } from '../helpers/chromium-page.ts'

const TOKEN = 'the-token-of-alice'

/** The page of a server, in Chromium; and whatever went wrong there. */
async function openDocs (t: Test, args: string[]): Promise<{ page: Page, complaints: string[] }> {
  const { app } = await buildStandalone(t, args)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const page = await newPage(t)
  const complaints: string[] = []
  page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) complaints.push(message.text()) })
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('request', (request) => { if (!request.url().startsWith(url) && !request.url().startsWith('data:')) complaints.push(`asked for ${request.url()}`) })
  page.on('response', (response) => { if (response.status() >= 400 && !response.url().endsWith('/sessions')) complaints.push(`${response.status()} ${response.url()}`) })
  await page.goto(`${url}/docs`)
  return { page, complaints }
}

/** What the page shows for an operation once it has been tried there: the status of the answer, and its body. */
async function execute (page: Page, tag: string, operationId: string, body?: string): Promise<{ status: string, body: string }> {
  const block = page.locator(`[id="operations-${tag}-${operationId}"]`)
  if (await block.locator('.opblock-body').count() === 0) await block.locator('.opblock-summary-control').click()
  if (await block.locator('.execute').count() === 0) await block.locator('.try-out__btn').click()
  if (body !== undefined) await block.locator('textarea.body-param__text').fill(body)
  const answered = page.waitForResponse((response) => response.request().resourceType() === 'fetch')
  await block.locator('.execute').click()
  await answered
  const live = block.locator('.live-responses-table')
  const status = (await live.locator('tbody .response-col_status').first().innerText()).trim()
  return { status: status.split('\n')[0]!, body: await live.locator('tbody .response-col_description').first().innerText() }
}

test('the page loads without a complaint and without a foreign request, and what is tried there is answered', { skip: noChromium }, async (t) => {
  const { page, complaints } = await openDocs(t, [])
  t.equal(await page.title(), 'fastify-agent-runs')
  const { status, body } = await execute(page, 'agent_runs', 'listSessions')
  t.equal(status, '200')
  t.match(body, /"sessions": \[\]/)
  t.strictSame(complaints, [])
})

test('with --tokens, the page may nothing until somebody has logged in there', { skip: noChromium }, async (t) => {
  const { page, complaints } = await openDocs(t, ['--tokens', tokensFile(t, [{ token: TOKEN, owner: 'alice' }]), '--prefix', '/api'])
  t.equal((await execute(page, 'agent_runs', 'listSessions')).status, '401')
  t.equal((await execute(page, 'server', 'login', JSON.stringify({ token: TOKEN }))).status, '204')
  t.equal((await execute(page, 'agent_runs', 'listSessions')).status, '200')
  t.strictSame(complaints.filter((complaint) => !complaint.includes('401')), [])
})
