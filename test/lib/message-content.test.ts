import { test } from 'tap'
import type { Static } from 'typebox'
import type { messageContentSchema } from '../../lib/protocol/message-content-schema.ts'
import type { MessageContent } from '../../lib/protocol/message-content.ts'

test('the type of a message\'s content and its schema say the same, as the compiler sees it', (t) => {
  type Checked = Static<typeof messageContentSchema>
  const same = (content: MessageContent): Checked => content
  const again = (content: Checked): MessageContent => content
  t.equal(again(same('hello')), 'hello')
  t.end()
})
