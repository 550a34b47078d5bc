/* Messages to begin with, for the provider that says back what it is told: they are its scripts (docs/providers.md). */
import { button, element } from './element.js'

const LONG = `This answer comes word by word. Reload the page in the middle of it, or cut the connection below: nothing is lost, and nothing comes twice.

Whitespace   is kept, \`inline code\` is shown as such, and so is a block:

\`\`\`js
const stream = new EventSource('/sessions/my-chat/stream')
stream.onmessage = ({ data }) => console.log(JSON.parse(data))
\`\`\`

The run goes on whether anybody looks or not. Open this page in a second tab: both show the same, and each can stop it. What you see here is in the server's log, numbered from one on; a client that comes back says which number it had last, and gets everything behind it, in order, each once.

When the server is killed in the middle of this, the run ends as interrupted once it is there again, and these words stay.`

const script = (demo) => JSON.stringify({ demo })

const EXAMPLES = [
  ['A long answer', LONG],
  ['A tool and an approval', script({ mode: 'approval', n: 6, gapMs: 500, nonce: 'step' })],
  ['A run that fails', script({ mode: 'throwAfter', n: 8, gapMs: 300, nonce: 'step' })],
  ['A run that hangs until it is stopped', script({ mode: 'hang', n: 6, gapMs: 300, nonce: 'step' })]
]

/** Buttons that send one. @param {(content: string, title: string) => void} send */
export function examples (send) {
  return element('div', { class: 'examples' },
    element('h3', {}, 'Try'),
    ...EXAMPLES.map(([name, content]) => button(name, () => send(content, name))))
}
