import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Test, test } from 'tap'
import { type Skimming, SkimmingReader } from '../../bench/readers/skimming-reader.ts'
import { stamp } from '../../bench/readers/stamp.ts'

/** A reader of what `write` writes, and the Last-Event-ID that it came with. */
async function read (t: Test, skimming: Skimming, write: (response: ServerResponse) => void): Promise<{ reader: SkimmingReader, header: string | undefined }> {
  let header: string | undefined
  const server = createServer((request, response) => {
    header = request.headers['last-event-id'] as string | undefined
    write(response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const reader = await SkimmingReader.open((server.address() as AddressInfo).port, '/', skimming)
  t.teardown(() => reader.close())
  return { reader, header }
}

test('who comes back says what it has, and takes what follows that alone', async (t) => {
  const { reader, header } = await read(t, { after: 7 }, (response) => response.write('data: {}\nid: 7\n\ndata: {}\nid: 8\n\n'))
  await reader.reached(8)
  t.equal(header, '7')
  t.equal(reader.fault, null)
})

test('ids may stand before the data, and without a space', async (t) => {
  const { reader } = await read(t, {}, (response) => response.write('\nid:0\ndata:{}\n\nid:1\ndata:{}\n\nid:2\ndata:{}\n\n'))
  await reader.reached(2)
  t.equal(reader.fault, null)
})

test('each stamp is read once, wherever a chunk ends', async (t) => {
  for (const frame of [(seq: number) => `data: {"content":"${stamp()}word"}\nid: ${seq}\n\n`, (seq: number) => `id: ${seq}\ndata: {"content":"${stamp()}word"}\n\n`]) {
    const ages: number[] = []
    // The first id, too, has a line before it.
    const text = `data: {}\nid: 0\n\n${frame(1)}${frame(2)}${frame(3)}data: {}\nid: 4\n\n`
    const { reader } = await read(t, { ages }, (response) => {
      // Without chunks of HTTP the reader sees the parts as they are written.
      const socket = response.socket!
      socket.setNoDelay(true)
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      const parts = [...text]
      const next = (): void => {
        const part = parts.splice(0, 7).join('')
        if (part !== '') socket.write(part, () => setImmediate(next))
      }
      next()
    })
    await reader.reached(4)
    t.equal(reader.fault, null)
    t.equal(ages.length, 3)
    for (const age of ages) t.ok(age >= 0 && age < 60_000_000)
  }
})
