/* Pages that readers share: what is shared, and what is read anew because it may not be shown any more. */
import { type Test, test } from 'tap'
import { accept, ALL, delta, drive, newSession, OWNER, STRANGER, text, upTo } from '../../conformance/store/driven-run.ts'
import { memoryStore } from '../../db/memory/store.ts'
import { Pages } from '../../lib/streams/pages.ts'

/** A log of so many events in session 's', and how often events of it were read. */
async function open (t: Test, events: number) {
  const store = memoryStore()
  await store.open()
  const run = await drive(store, 'r')
  await run.append(...upTo(events - 1).map((n) => delta('m', String(n))))
  let reads = 0
  const readEvents = store.readEvents.bind(store)
  store.readEvents = async (...args) => {
    const page = await readEvents(...args)
    if (page !== null && page.events.length > 0) reads++
    return page
  }
  const pages = new Pages(store)
  t.teardown(() => pages.close())
  return { store, run, pages, reads: () => reads }
}

test('a page is read once, and encoded once per format, however many ask for it', async (t) => {
  const { pages, reads } = await open(t, 1_200)
  let encodings = 0
  const format = { encode: () => ++encodings }
  for (let reader = 0; reader < 3; reader++) {
    const page = (await pages.next('s', OWNER, 500))!
    t.strictSame([page.events.length, page.through, page.lastSeq], [500, 1_000, 1_200])
    t.equal(page.shared!(format), 1)
  }
  t.equal(reads(), 1)
})

test('pages end at the same seqs, wherever their readers began', async (t) => {
  const { pages } = await open(t, 1_200)
  for (const [after, through] of [[0, 500], [3, 500], [499, 500], [500, 1_000], [777, 1_000], [1_000, 1_200]] as const) {
    t.equal((await pages.next('s', OWNER, after))!.through, through)
  }
})

test('a page that was the end of the log is read anew once the log has grown', async (t) => {
  const { pages, run, reads } = await open(t, 700)
  for (let reader = 0; reader < 2; reader++) t.equal((await pages.next('s', OWNER, 500))!.through, 700)
  t.equal(reads(), 1)
  await run.append(text('more'))
  const page = (await pages.next('s', OWNER, 500))!
  t.strictSame([page.through, page.lastSeq, reads()], [701, 701, 2])
})

test('a full page stays as the log grows, and says how far that goes', async (t) => {
  const { pages, run, reads } = await open(t, 700)
  await pages.next('s', OWNER, 0)
  await run.append(text('more'))
  const page = (await pages.next('s', OWNER, 0))!
  t.strictSame([page.through, page.lastSeq, reads()], [500, 701, 1])
})

test('a page is shown to its owner alone', async (t) => {
  const { pages } = await open(t, 700)
  for (const read of [(owner: string) => pages.next('s', owner, 0), (owner: string) => pages.first('s', owner, 0)]) {
    t.ok(await read(OWNER))
    t.equal(await read(STRANGER), null)
  }
})

test('nothing of a session that was deleted is shown', async (t) => {
  const { pages, store } = await open(t, 700)
  await pages.next('s', OWNER, 0)
  await store.deleteSession('s', OWNER)
  await t.rejects(pages.next('s', OWNER, 0))
  await t.rejects(pages.first('s', OWNER, 0))
})

test('what was compacted is read anew', async (t) => {
  const { pages, store, run } = await open(t, 700)
  await run.append(text('m'))
  await run.end()
  await pages.next('s', OWNER, 0)
  await store.compactRun('r', 0)
  const page = (await pages.next('s', OWNER, 0))!
  t.strictSame(page.events, (await store.readEvents('s', OWNER, 0, ALL))!.events)
  t.equal(page.compactedThrough, (await store.getSession('s', OWNER))!.compactedThrough)
})

test('the first page comes with the session as it is now', async (t) => {
  const { pages, store } = await open(t, 700)
  t.strictSame((await pages.first('s', OWNER, 0))!.session.queue, [])
  await accept(store, 'waits')
  t.strictSame((await pages.first('s', OWNER, 0))!.session.queue, ['waits'])
})

test('what is kept is bounded: the page that was used longest ago goes first', async (t) => {
  const { pages, store, reads } = await open(t, 700)
  await pages.next('s', OWNER, 0)
  for (const n of upTo(128)) {
    const id = `other-${n}`
    await store.createSession(newSession(id))
    const run = await drive(store, id, { sessionId: id })
    await run.append(...upTo(150).map((word) => delta('m', String(word))))
    await pages.next(id, OWNER, 0)
  }
  const before = reads()
  await pages.next('other-128', OWNER, 0)
  t.equal(reads(), before)
  await pages.next('s', OWNER, 0)
  t.equal(reads(), before + 1)
})
