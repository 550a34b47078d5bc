import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Test, test } from 'tap'
import { Audience } from '../../bench/readers/audience.ts'

/** What two readers, one that parses and one that skims, find wrong with a stream of these seqs whose last should be 3. */
async function faultOf (t: Test, seqs: number[]): Promise<string | null> {
  const server = createServer((_request, response) => {
    response.write('retry: 1000\ndata: {}\nid: 0\n\n')
    for (const seq of seqs) response.write(`data: {"seq":${seq}}\nid: ${seq}\n\n`)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const audience = await Audience.open((server.address() as AddressInfo).port, ['/', '/'], 1)
  t.teardown(() => audience.close())
  if (seqs.length >= 3) await audience.reached(3)
  return audience.fault(3)
}

test('an audience that got every event once and in order finds no fault', async (t) => {
  t.equal(await faultOf(t, [1, 2, 3]), null)
})

test('an event that is missing, comes twice, too early or too late is a fault of each reader', async (t) => {
  t.match(await faultOf(t, [1, 3]), '2 of 2 readers: ')
  t.equal(await faultOf(t, [1, 2]), '2 of 2 readers: 2 of 3 events came')
  t.match(await faultOf(t, [1, 1, 2, 3]), '2 of 2 readers: ')
  t.match(await faultOf(t, [2, 1, 3]), '2 of 2 readers: ')
  t.match(await faultOf(t, [1, 2, 3, 3]), '2 of 2 readers: ')
  t.match(await faultOf(t, [1, 2, 3, 4]), '2 of 2 readers: ')
})
