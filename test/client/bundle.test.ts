import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { test } from 'tap'

const entryPoints = ['client/index.ts']

for (const platform of ['browser', 'neutral'] as const) {
  test(`for the platform "${platform}" the client is all of its own, but for the parser of event streams`, async (t) => {
    const { outputFiles, metafile } = await build({ entryPoints, bundle: true, format: 'esm', platform, packages: 'external', write: false, metafile: true })
    const [output] = Object.values(metafile.outputs)
    t.strictSame(output?.imports, [{ path: 'eventsource-parser', kind: 'import-statement', external: true }])
    t.strictSame(Object.keys(metafile.inputs).filter((path) => !path.startsWith('client/')), [], 'of the other rooms it knows types alone')
    t.notMatch(outputFiles[0]?.text, /node:|\bprocess\.|\bBuffer\b|\brequire\(/)
  })
}

test('it is small, with its parser', async (t) => {
  const { outputFiles } = await build({ entryPoints, bundle: true, minify: true, format: 'esm', platform: 'browser', write: false })
  const bytes = gzipSync(outputFiles[0]!.contents).length
  t.comment(`${outputFiles[0]!.contents.length} bytes, ${bytes} gzipped`)
  t.ok(bytes < 16 * 1024, `${bytes} bytes gzipped`)
})
