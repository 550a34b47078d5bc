/* A page with the unmodified `useChat` of a version of the AI SDK, in the hands of a test. */
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { build } from 'esbuild'
import type { Version } from './ai-sdk-chats.ts'

/**
 * `chat` is what `useChat` has answered last; `statuses` what its status was, one after the other. `mount()` begins anew with the
 * history, as a page does that is loaded: with `resume`.
 */
const PAGE = `
  import { createRoot } from 'react-dom/client'
  import * as ai from 'the-ai'
  import { Chat, useChat } from 'the-react'

  window.statuses = []
  const shared = new URLSearchParams(location.search).has('shared')
  function Page ({ messages }) {
    const options = {
      id: 's', messages, transport: new ai.DefaultChatTransport({ api: '/ai-sdk' }),
      sendAutomaticallyWhen: ai.lastAssistantMessageIsCompleteWithApprovalResponses
    }
    const [own] = window.React.useState(() => new Chat(options))
    const chat = useChat({ ...(shared ? { chat: own } : options), resume: true })
    window.chat = chat
    if (window.statuses.at(-1) !== chat.status) window.statuses.push(chat.status)
    return <main data-status={chat.status}>
      {chat.messages.map((message) => <p key={message.id}>{message.role}: {message.parts.map((part) => part.text ?? '').join('')}</p>)}
    </main>
  }

  const root = createRoot(document.getElementById('root'))
  let mounts = 0
  window.mount = async () => {
    const { messages } = await (await fetch('/ai-sdk/s/messages')).json()
    root.render(<Page key={mounts++} messages={messages} />)
  }
  window.mount()
`

export const HTML = '<!doctype html><title>Test</title><link rel="icon" href="data:,"><div id="root"></div><script src="/page.js"></script>'

/** The same with the client library's chat: it needs neither the dialect nor `resume`. */
const LOGGED_PAGE = `
  import { createRoot } from 'react-dom/client'
  import { Chat, useChat } from 'the-react'
  import { createClient } from '../../client/index.ts'
  import { agentRunsChat } from '../../client/ai-sdk/index.ts'

  window.statuses = []
  const client = createClient('/', { retry: { minMs: 20, maxMs: 50 } })
  function Page () {
    const [own] = window.React.useState(() => agentRunsChat(Chat, { id: 's', client }))
    window.React.useEffect(() => own.connect(), [own])
    const chat = useChat({ chat: own })
    window.chat = chat
    if (window.statuses.at(-1) !== chat.status) window.statuses.push(chat.status)
    return <main data-status={chat.status}>
      {chat.messages.map((message) => <p key={message.id}>{message.role}: {message.parts.map((part) => part.text ?? '').join('')}</p>)}
    </main>
  }
  createRoot(document.getElementById('root')).render(<window.React.StrictMode><Page /></window.React.StrictMode>)
`

/** The page's script. */
export async function useChatPage (version: Version, isLogged = false): Promise<string> {
  const { resolve } = createRequire(import.meta.url)
  const react = dirname(resolve(`ai-sdk-react${version}/package.json`))
  const { outputFiles } = await build({
    stdin: { contents: `import * as React from 'react'; window.React = React\n${isLogged ? LOGGED_PAGE : PAGE}`, loader: 'tsx', resolveDir: import.meta.dirname },
    alias: { 'the-react': `ai-sdk-react${version}`, 'the-ai': dirname(createRequire(`${react}/package.json`).resolve('ai/package.json')) },
    define: { 'process.env.NODE_ENV': '"production"' },
    jsx: 'automatic',
    bundle: true,
    write: false,
    logLevel: 'silent'
  })
  return outputFiles[0]!.text
}
