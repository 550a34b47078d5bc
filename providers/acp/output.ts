/* What an agent writes, as its protocol is read: no faster than the log takes it, without noise, no line without an end. */
import type { Readable } from 'node:stream'
import type { Logger } from '../../lib/common/logger.ts'
import { ProtocolLines } from '../process/protocol-lines.ts'

/** `room` is waited for before each read. */
export function protocolOutput (stdout: Readable, room: () => Promise<void>, log: Logger): ReadableStream<Uint8Array> {
  const chunks = stdout[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
  const lines = new ProtocolLines((line) => log.debug({ line }, 'the agent wrote a line that says nothing in its protocol'))
  return new ReadableStream<Uint8Array>({
    async pull (controller) {
      await room()
      const { done, value } = await chunks.next()
      if (done === true) return controller.close()
      try {
        controller.enqueue(lines.take(value))
      } catch (error) {
        // Nobody would read to its end, and close it.
        stdout.destroy()
        throw error
      }
    },
    cancel: () => { stdout.destroy() }
  }, { highWaterMark: 0 })
}
