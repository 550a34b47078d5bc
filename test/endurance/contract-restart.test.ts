/* What every transport promises of a server that is killed and started again. */
import { join } from 'node:path'
import { test } from 'tap'
import { type Follower, TRANSPORTS } from '../helpers/followers.ts'
import { postJson } from '../helpers/read-sse.ts'
import { spawnScript } from '../helpers/spawn-script.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const upTo = (last: number, first = 1): number[] => Array.from({ length: last - first + 1 }, (_, index) => first + index)

function cutAll (followers: Follower[]): void {
  for (const follower of followers) follower.cut()
}

for (const { name, follow } of TRANSPORTS) {
  test(`${name}: after kill -9 and a restart, everybody goes on from their cursor and has every event once, and one end`, async (t) => {
    const database = join(tempDir(t), 'runs.db')
    const serve = async () => {
      const server = spawnScript(t, 'serve-demo.ts', [database])
      return { server, url: (await server.line('listening ')).split(' ')[1]! }
    }
    const { server, url } = await serve()
    const ids = upTo(12).map((i) => `s${i}`)
    await Promise.all(ids.map((id, i) => postJson(`${url}/sessions/${id}/messages`, {
      content: JSON.stringify({ demo: { n: 1_000_000, gapMs: 2, kind: i % 2 === 0 ? 'stream_delta' : 'text' } })
    })))
    const before = await Promise.all(ids.map((id) => follow(url, id)))
    await Promise.all(before.map((client, i) => client.until(({ seqs }) => seqs.length > 5 + 7 * i)))
    await server.kill('SIGKILL')
    await Promise.all(before.map((client) => client.ended()))

    const { url: restarted } = await serve()
    const after = await Promise.all(ids.map((id, i) => follow(restarted, id, before[i]!.seqs.at(-1))))
    await Promise.all(after.map((client) => client.frame('complete')))
    for (const [i, id] of ids.entries()) {
      const seen = [...before[i]!.events, ...after[i]!.events]
      t.strictSame(seen.map(({ seq }) => seq), upTo(seen.length), id)
      t.match(seen.filter(({ kind }) => kind === 'complete'), [{ reason: 'interrupted' }], id)
      t.strictSame([after[i]!.kinds[0], after[i]!.kinds.at(-1), after[i]!.kinds.includes('gap')], ['chat_subscribed', 'complete', false], id)
    }
    cutAll(after)
  })
}
