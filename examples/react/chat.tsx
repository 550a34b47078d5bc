/* A chat that goes on after a reload, a lost connection and a restart of the server. */
import { useChat } from '@ai-sdk/react'
import { DefaultChatTransport, lastAssistantMessageIsCompleteWithApprovalResponses, type UIMessage } from 'ai'
import { useEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'

/** Whoever knows the URL can come back to the session, and others can watch. */
const session = new URLSearchParams(location.search).get('session') ?? crypto.randomUUID()
history.replaceState(null, '', `?session=${session}`)
const transport = new DefaultChatTransport({ api: '/ai-sdk' })

/** Begins with the history, and again after each loss of the connection: with a key of its own a chat keeps nothing that is half told. */
function App () {
  const [{ key, messages }, setBeginning] = useState<{ key: number, messages: UIMessage[] | null }>({ key: 0, messages: null })
  const [attempt, setAttempt] = useState(0)
  const retry = () => setTimeout(() => setAttempt((attempt) => attempt + 1), attempt === 0 ? 0 : 1_000)

  useEffect(() => {
    fetch(`/ai-sdk/${session}/messages`)
      .then((response) => response.json())
      .then(({ messages }) => setBeginning({ key: attempt, messages }), retry)
  }, [attempt])

  return messages === null ? <p>One moment …</p> : <Conversation key={key} messages={messages} onLost={retry} />
}

function Conversation ({ messages: initial, onLost }: { messages: UIMessage[], onLost: () => void }) {
  const [text, setText] = useState('')
  const { messages, status, error, sendMessage, stop, addToolApprovalResponse } = useChat({
    id: session,
    messages: initial,
    transport,
    // Follows the run that is running, if one is.
    resume: true,
    // Posts the answer once all that was asked for is answered.
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
    // What browsers say when a connection is lost is a TypeError.
    onError: (error) => { if (error instanceof TypeError) onLost() }
  })
  const isBusy = status === 'submitted' || status === 'streaming'

  /** Leaving is not stopping: it is the server that has to be told. */
  async function stopRun () {
    await fetch(`/sessions/${session}/abort`, { method: 'POST' })
    await stop()
  }

  return (
    <main data-status={status}>
      {messages.map(({ id, role, parts }) => (
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
        </article>
      ))}
      {error !== undefined && <p role='alert'>{error.message}</p>}
      <form onSubmit={(event) => { event.preventDefault(); void sendMessage({ text }); setText('') }}>
        <input value={text} onChange={(event) => setText(event.target.value)} disabled={isBusy} autoFocus />
        {isBusy ? <button type='button' onClick={() => { void stopRun() }}>Stop</button> : <button disabled={text === ''}>Send</button>}
      </form>
    </main>
  )
}

createRoot(document.getElementById('root')!).render(<App />)
