/* Server-Sent Events: the frames (pure text), and one connection that carries them. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { StoredEvent } from '../../lib/protocol/event.ts'
import type { Frame } from '../../lib/protocol/frames.ts'
import type { Format } from '../../lib/streams/channel.ts'
import { EventStream, type EventStreamOptions } from './event-stream.ts'
import { chunkOf } from './response-writer.ts'

/**
 * The frames of events: no `event:` line, so that one `onmessage` gets everything. JSON has no raw line break. The id comes
 * last: there are clients that take it for theirs as soon as its line is there, though the connection breaks inside the frame.
 */
export function eventFrames (events: readonly StoredEvent[]): string {
  let frames = ''
  for (const { seq, json } of events) frames += `data: ${json}\nid: ${seq}\n\n`
  return frames
}

/** A gateway frame; with `cursor` it moves the client's Last-Event-ID. */
export function gatewayFrame (frame: Frame, cursor?: number): string {
  const id = cursor === undefined ? '' : `id: ${cursor}\n`
  return `data: ${JSON.stringify(frame)}\n${id}\n`
}

const plain: Format<Buffer> = { encode: (events) => Buffer.from(eventFrames(events)) }
const chunked: Format<Buffer> = { encode: (events) => chunkOf(eventFrames(events)) }

/** A stream of events and frames as they are. */
export class SseConnection extends EventStream<Buffer> {
  readonly format: Format<Buffer>

  constructor (response: ServerResponse, headers: OutgoingHttpHeaders, options: EventStreamOptions) {
    super(response, headers, options)
    this.format = this.writer.chunked ? chunked : plain
  }

  events (chunk: Buffer): boolean {
    return this.writeEvents(() => this.writer.write(chunk))
  }

  frame (frame: Frame, cursor?: number): void {
    // EventSource does not read frames, but it heeds this.
    if (frame.kind === 'stream_closing') this.text(`retry: ${frame.retryMs}\n`)
    this.text(gatewayFrame(frame, cursor))
  }
}
