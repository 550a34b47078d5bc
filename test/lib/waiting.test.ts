/* What is shown of a message while it waits. */
import { test } from 'tap'
import type { MessageContent } from '../../index.ts'
import { messageIn, waitingMessage } from '../../lib/store/waiting.ts'

const fields = (content: MessageContent): string => JSON.stringify({ role: 'user', messageId: 'm', content })
const preview = (content: MessageContent): string => waitingMessage('r', fields(content), 0).preview

test('a preview is the first 200 characters of the text, in one line and well-formed', (t) => {
  t.strictSame(waitingMessage('r', fields('hi'), 1_000), { runId: 'r', messageId: 'm', preview: 'hi', createdAt: '1970-01-01T00:00:01.000Z' })
  t.equal(preview('  a\n\tb\u0000c  '), 'a b c')
  t.equal(preview('x'.repeat(1_000_000)), 'x'.repeat(200))
  t.equal(preview('😀'.repeat(300)), '😀'.repeat(200), 'no half character')
  t.equal(preview('a\ud83d'), 'a\ufffd')
  t.equal(preview([{ type: 'text', text: 'look at' }, { type: 'image', mimeType: 'image/png', data: 'aGk=' }, { type: 'text', text: 'this' }]), 'look at this')
  t.equal(preview([{ type: 'image', mimeType: 'image/png', data: 'aGk=' }]), '')
  t.strictSame(messageIn(fields('whole')), { messageId: 'm', content: 'whole' })
  t.end()
})
