/*
 * Text frames of the WebSocket protocol, as servers send them: not masked, each message in one frame. They are made once
 * for all who get them, and go to the socket as they are; the library would frame them anew for each.
 */
const FIN_TEXT = 0x81

/** `texts` as one message each. */
export function textFrames (texts: readonly string[]): Buffer {
  const lengths = texts.map((text) => Buffer.byteLength(text))
  const buffer = Buffer.allocUnsafe(lengths.reduce((bytes, length) => bytes + headerBytes(length) + length, 0))
  let offset = 0
  for (const [index, text] of texts.entries()) {
    offset = writeHeader(buffer, offset, lengths[index]!)
    offset += buffer.write(text, offset)
  }
  return buffer
}

function headerBytes (length: number): number {
  return length < 126 ? 2 : length < 65_536 ? 4 : 10
}

function writeHeader (buffer: Buffer, offset: number, length: number): number {
  buffer[offset] = FIN_TEXT
  if (length < 126) {
    buffer[offset + 1] = length
    return offset + 2
  }
  if (length < 65_536) {
    buffer[offset + 1] = 126
    return buffer.writeUInt16BE(length, offset + 2)
  }
  buffer[offset + 1] = 127
  return buffer.writeBigUInt64BE(BigInt(length), offset + 2)
}
