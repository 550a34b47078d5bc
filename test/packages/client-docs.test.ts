/* What docs/client.md shows is code that compiles, and so is what the types promise. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import ts from 'typescript'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** What the compiler says of texts that stand for modules of the project. */
function complaintsOf (modules: Map<string, string>, more: ts.CompilerOptions = {}): string[] {
  const { config } = ts.readConfigFile(`${ROOT}tsconfig.json`, (path) => ts.sys.readFile(path)) as { config: object }
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, ROOT)
  const all: ts.CompilerOptions = { ...options, jsx: ts.JsxEmit.ReactJSX, noUnusedLocals: false, ...more }
  // The AI SDK is here under names with a version.
  all.paths = { ...all.paths, '@ai-sdk/react': ['./node_modules/ai-sdk-react6/dist/index.d.ts'] }
  const host = ts.createCompilerHost(all)
  const { fileExists, getSourceFile, readFile } = host
  host.fileExists = (path) => modules.has(path) || fileExists(path)
  host.readFile = (path) => modules.get(path) ?? readFile(path)
  host.getSourceFile = (path, ...rest) => modules.has(path) ? ts.createSourceFile(path, modules.get(path)!, rest[0]) : getSourceFile(path, ...rest)
  const program = ts.createProgram([...modules.keys()], all, host)
  return [...modules.keys()].flatMap((path) => ts.getPreEmitDiagnostics(program, program.getSourceFile(path))).map(({ file, messageText }) => `${file?.fileName.slice(ROOT.length)}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`)
}

test('the examples compile', async (t) => {
  const text = readFileSync(`${ROOT}docs/client.md`, 'utf8')
  const snippets = [...text.matchAll(/^```(tsx?)\n(.*?)^```$/gms)]
  t.ok(snippets.length >= 5)
  t.strictSame(complaintsOf(new Map(snippets.map(([, extension, code], index) => [`${ROOT}docs/snippet-${index}.${extension}`, code!]))), [])
})

test('one switch on kind narrows what is given, and the types of a browser are not needed, nor in the way', async (t) => {
  const module = `
    import { createClient, type StreamItem } from 'fastify-agent-runs-client'
    export function words (item: StreamItem): string {
      switch (item.kind) {
        case 'stream_delta': return item.content
        case 'complete': return item.reason
        case 'gap': return item.reason
        case 'chat_subscribed': return String(item.pendingPermissions.length)
        // @ts-expect-error: there is no such field
        case 'session_deleted': return item.seq
        default: return item.kind
      }
    }
    // @ts-expect-error: there is no such transport
    createClient('x', { transport: 'pigeon' })
    export const client = createClient('x', { fetch, headers: { a: 'b' } })
  `
  const browser = 'export { words } from \'./module.ts\'\nimport { createClient } from \'fastify-agent-runs-client\'\nexport const client = createClient(location.href, { transport: \'websocket\', WebSocket, fetch, headers: new Headers() })'
  t.strictSame(complaintsOf(new Map([[`${ROOT}docs/module.ts`, module]])), [])
  t.strictSame(complaintsOf(new Map([[`${ROOT}docs/module.ts`, module], [`${ROOT}docs/browser.ts`, browser]]), { lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'], types: [] }), [])
})
