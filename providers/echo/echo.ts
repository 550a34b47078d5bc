/* Says back what it was told, in deltas, at a pace; and plays scripted failures (echo-script.ts). */
import '../../lib/common/node-version.ts'
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { MessageContent } from '../../lib/protocol/words.ts'
import type { Provider, ProviderEvent, RunContext } from '../../lib/provider/provider.ts'
import { marker, parseScript, playScript } from './script.ts'

export interface EchoOptions {
  /** The pause between two deltas, in ms. Default 40. */
  delayMs?: number
}

/**
 * A provider without a model, to try things with. A message that is JSON `{"demo":{…}}` plays a script instead
 * (docs/providers.md). Its native session ids, and the messages of the errors that it throws, hold the value of the
 * environment variable ECHO_NATIVE_MARKER, so that one can look for it on the wire.
 */
export function echo ({ delayMs = 40 }: EchoOptions = {}): Provider {
  return {
    run (context) {
      const nativeId = context.providerSessionId ?? `echo-native-${marker()}-${randomUUID()}`
      const script = parseScript(textOf(context.content))
      return script === null ? say(context, nativeId, delayMs) : playScript(script, context, nativeId)
    }
  }
}

async function * say ({ content, signal }: RunContext, nativeId: string, delayMs: number): AsyncGenerator<ProviderEvent> {
  yield { kind: 'session_created', newSessionId: nativeId }
  const messageId = randomUUID()
  const text = textOf(content)
  for (const word of text.match(/\s*\S+|\s+$/g) ?? []) {
    if (delayMs > 0) await delay(delayMs, undefined, { signal })
    yield { kind: 'stream_delta', messageId, content: word }
  }
  yield { kind: 'stream_end', messageId }
  yield { kind: 'text', messageId, content: text }
}

function textOf (content: MessageContent): string {
  if (typeof content === 'string') return content
  return content.map((part) => part.type === 'text' ? part.text : `[${part.type} ${part.name ?? part.mimeType}]`).join('\n')
}
