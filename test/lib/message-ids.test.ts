import { test } from 'tap'
import { MessageIds } from '../../lib/runs/message-ids.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test('the names that a provider gives are kept', (t) => {
  const ids = new MessageIds()
  t.strictSame([ids.ofDelta('text', 'm'), ids.ofDelta('thinking', 'm'), ids.ofDelta('text', 'm'), ids.ofEnd('m'), ids.ofWhole('text', 'm').messageId], ['m', 'm', 'm', 'm', 'm'])
  t.equal(ids.ofEnd('never-streamed'), 'never-streamed')
  t.end()
})

test('without names there is one message at a time: another kind, or an end, begins the next', (t) => {
  const ids = new MessageIds()
  const first = ids.ofDelta('text', undefined)
  t.match(first, UUID)
  t.equal(ids.ofDelta('text', undefined), first)
  t.equal(ids.ofEnd(undefined), first)
  t.equal(ids.ofEnd(undefined), null, 'it has ended already')
  const second = ids.ofDelta('text', undefined)
  const thought = ids.ofDelta('thinking', undefined)
  const third = ids.ofDelta('text', undefined)
  t.equal(new Set([first, second, thought, third]).size, 4)
  t.equal(ids.ofEnd(undefined), third)
  t.end()
})

test('an end without a name ends nothing when nothing is streamed without one', (t) => {
  const ids = new MessageIds()
  t.equal(ids.ofEnd(undefined), null)
  ids.ofDelta('text', 'named')
  t.equal(ids.ofEnd(undefined), null)
  t.end()
})

test('a whole without a name is that of what was streamed without a name, ended or not', (t) => {
  for (const ended of [false, true]) {
    const ids = new MessageIds()
    const streamed = ids.ofDelta('text', undefined)
    if (ended) ids.ofEnd(undefined)
    t.equal(ids.ofWhole('text', undefined).messageId, streamed)
    const next = ids.ofWhole('text', undefined).messageId
    t.match(next, UUID)
    t.not(next, streamed, 'the next whole is another message')
    t.not(ids.ofDelta('text', undefined), streamed, 'and so are the next deltas')
  }
  t.end()
})

test('a whole without a name is that of the last message of its kind', (t) => {
  const ids = new MessageIds()
  const thought = ids.ofDelta('thinking', undefined)
  const text = ids.ofDelta('text', undefined)
  t.equal(ids.ofWhole('thinking', undefined).messageId, thought)
  t.equal(ids.ofDelta('text', undefined), text, 'the other kind goes on')
  ids.over('thinking', 'm')
  t.equal(ids.ofDelta('text', 'm'), 'm')
  t.end()
})

test('a message that is over goes on as a new one, for its deltas and their end, and again after that one is over', (t) => {
  const ids = new MessageIds()
  ids.ofDelta('text', 'm')
  ids.over('text', 'm')
  const second = ids.ofDelta('text', 'm')
  t.match(second, UUID)
  t.equal(ids.ofDelta('text', 'm'), second)
  t.equal(ids.ofEnd('m'), second)
  ids.over('text', second)
  const third = ids.ofDelta('text', 'm')
  t.match(third, UUID)
  t.not(third, second)
  t.equal(ids.ofEnd('m'), third)
  t.not(ids.ofDelta('text', 'm'), third, 'an end is an end')
  t.equal(ids.ofDelta('thinking', 'm'), 'm', 'reasoning under that name is not over')
  t.end()
})

test('after an unnamed message was folded both the next unnamed delta and the next unnamed whole are new ones', (t) => {
  for (const ended of [false, true]) {
    const ids = new MessageIds()
    const first = ids.ofDelta('text', undefined)
    if (ended) ids.ofEnd(undefined)
    ids.over('text', first)
    t.equal(ids.ofEnd(undefined), null, 'there is nothing to end')
    t.not(ids.ofWhole('text', undefined).messageId, first, 'it would replace what was said before')
    t.not(ids.ofDelta('text', undefined), first)
  }
  t.end()
})

test('several blocks under one name are several messages, each with its own whole', (t) => {
  const ids = new MessageIds()
  t.equal(ids.ofDelta('text', 'm'), 'm')
  t.equal(ids.ofWhole('text', 'm').messageId, 'm')
  const second = ids.ofDelta('text', 'm')
  t.not(second, 'm')
  t.equal(ids.ofWhole('text', 'm').messageId, second)
  t.equal(ids.ofWhole('text', 'm').messageId, 'm', 'a whole without deltas is of the name')
  t.end()
})

test('a block that has ended, or whose deltas were folded, still gets its own whole', (t) => {
  for (const end of [(ids: MessageIds) => ids.ofEnd('m'), (ids: MessageIds, second: string) => ids.over('text', second)]) {
    const ids = new MessageIds()
    ids.ofDelta('text', 'm')
    ids.ofWhole('text', 'm')
    const second = ids.ofDelta('text', 'm')
    end(ids, second)
    t.equal(ids.ofWhole('text', 'm').messageId, second)
  }
  t.end()
})
