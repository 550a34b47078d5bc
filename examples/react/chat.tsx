/* A chat that goes on after a reload, a lost connection and a restart of the server, and is the same in every tab. */
import { Chat, useChat } from '@ai-sdk/react'
import type { UIMessage } from 'ai'
import { createClient } from 'fastify-agent-runs-client'
import { agentRunsChat, type RunMetadata } from 'fastify-agent-runs-client/ai-sdk'
import { useEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'

/** Whoever knows the URL can come back to the session, and others can watch. */
const session = new URLSearchParams(location.search).get('session') ?? crypto.randomUUID()
history.replaceState(null, '', `?session=${session}`)
const client = createClient('/')

function Conversation () {
  const [text, setText] = useState('')
  const [chat] = useState(() => agentRunsChat(Chat<UIMessage<{ run: RunMetadata }>>, { id: session, client }))
  useEffect(() => chat.connect(), [chat])
  const { messages, status, error, sendMessage, stop, addToolApprovalResponse } = useChat({ chat })
  const isBusy = status === 'submitted' || status === 'streaming'

  return (
    <main data-status={status}>
      {messages.map(({ id, role, parts, metadata }) => (
        <article key={id}>
          <strong>{role}</strong>
          {parts.map((part, index) => {
            if (part.type === 'text') return <p key={index}>{part.text}</p>
            if (part.type !== 'dynamic-tool') return null
            return (
              <p key={index}>
                <code>{part.toolName} {JSON.stringify(part.input)}</code> {part.state}
                {part.state === 'approval-requested' && [true, false].map((approved) => (
                  <button key={String(approved)} onClick={() => { void addToolApprovalResponse({ id: part.approval.id, approved }) }}>{approved ? 'Allow' : 'Deny'}</button>
                ))}
              </p>
            )
          })}
          {metadata?.run.pending !== undefined && <small>{metadata.run.pending}</small>}
          {metadata?.run.pending === 'failed' && <button onClick={() => { void chat.retry(id) }}>Try again</button>}
          {role === 'assistant' && metadata?.run.reason === 'aborted' && <small>stopped</small>}
        </article>
      ))}
      {error !== undefined && <p role='alert'>{error.message}</p>}
      <form onSubmit={(event) => { event.preventDefault(); void sendMessage({ text }); setText('') }}>
        <input value={text} onChange={(event) => setText(event.target.value)} autoFocus />
        <button disabled={text === ''}>{isBusy ? 'Queue' : 'Send'}</button>
        {isBusy && <button type='button' onClick={() => { void stop() }}>Stop</button>}
      </form>
    </main>
  )
}

createRoot(document.getElementById('root')!).render(<Conversation />)
