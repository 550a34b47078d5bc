import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test, type Test } from 'tap'
import { UsageError } from '../../standalone/flags.ts'
import { TokensFile } from '../../standalone/tokens-file.ts'
import { buildStandalone, tokensFile } from '../helpers/build-standalone.ts'
import { clientFrame, RawSocket } from '../helpers/raw-socket.ts'
import { SseClient } from '../helpers/read-sse.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const tokenOf = (user: string): string => `the-token-of-${user}-0123456789`
const entry = (user: string, more: object = {}) => ({ token: tokenOf(user), owner: user, ...more })
const bearer = (user: string) => ({ authorization: `Bearer ${tokenOf(user)}` })
const SUBSCRIBE = clientFrame('{"type":"chat.subscribe","sessions":[{"sessionId":"s"}]}')

/** A server whose tokens are in a file. */
async function serve (t: Test, users: object[], args: string[] = []) {
  const path = tokensFile(t, users)
  const { app, lines } = await buildStandalone(t, ['--tokens', path, '--heartbeat-ms', '100', ...args])
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const file = app.getDecorator<TokensFile>('tokens')
  return {
    app,
    url,
    path,
    lines,
    file,
    write: async (content: unknown) => {
      writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
      await file.reload()
    },
    status: async (user: string) => (await app.inject({ url: '/sessions', headers: bearer(user) })).statusCode,
    /** The lines of the log that are about tokens. */
    told: () => lines.map((line) => JSON.parse(line) as { level: number, msg: string, tokens?: number }).filter(({ msg }) => /token/.test(msg))
  }
}

test('a file that cannot be used at the start is a usage error', async (t) => {
  const { log } = (await buildStandalone(t)).app
  const missing = join(tempDir(t), 'none.json')
  for (const [path, problem] of [[missing, 'the file cannot be read (ENOENT).'], [dirname(missing), 'the file cannot be read (EISDIR).'], [tokensFile(t, '['), 'the file is not JSON.']] as const) {
    for (const opening of [TokensFile.open(path, log), buildStandalone(t, ['--tokens', path])]) {
      const error = await opening.then(() => null, (reason: unknown) => reason)
      t.ok(error instanceof UsageError)
      t.match(error, { message: `--tokens is "${path}": ${problem}` })
    }
  }
})

test('what is in the file now is what holds: new tokens do, removed ones do not, with a line in the log', async (t) => {
  const { app, write, status, told } = await serve(t, [entry('alice'), entry('bob')])
  const login = await app.inject({ method: 'POST', url: '/login', payload: { token: tokenOf('bob') } })
  const cookie = String(login.headers['set-cookie']).split(';', 1)[0]!
  const statuses = async () => [await status('alice'), await status('bob'), await status('carol'), (await app.inject({ url: '/sessions', headers: { cookie } })).statusCode]
  t.strictSame(await statuses(), [200, 200, 401, 200])
  await write([entry('alice'), entry('carol'), entry('dave')])
  t.strictSame(await statuses(), [200, 401, 200, 401])
  t.match(told(), [{ level: 30, msg: 'the tokens were read again', tokens: 3 }])
  await write([entry('alice'), entry('carol'), entry('dave')])
  t.equal(told().length, 1, 'the same again is no change')
  await app.agentRuns.createSession({ id: 'hers', owner: 'alice' })
  await write([entry('alice', { owner: 'bob' })])
  t.strictSame([await status('alice'), (await app.inject({ url: '/sessions/hers', headers: bearer('alice') })).statusCode], [200, 404], 'the token is bob\'s')
})

test('a file that is missing or makes no sense leaves the tokens as they are, with one error for each change that names no token', async (t) => {
  const { path, file, write, status, told, lines } = await serve(t, [entry('alice')])
  const refused = [[], [entry('bob'), entry('bob')], `[{"token": ${tokenOf('bob')}`, { [tokenOf('bob')]: 'bob' }, [{ [tokenOf('bob')]: 'bob' }], [entry('bob', { [tokenOf('carol')]: 1 })], '']
  for (const [index, content] of refused.entries()) {
    await write(content)
    await file.reload()
    t.equal(told().length, index + 1, JSON.stringify(content))
    t.strictSame([await status('alice'), await status('bob')], [200, 401])
  }
  rmSync(path)
  await file.reload()
  await file.reload()
  mkdirSync(path)
  await file.reload()
  const errors = told().slice(-3)
  t.match(errors.map(({ level, msg }) => [level, msg]), [['is not JSON', 50], ['cannot be read (ENOENT)', 50], ['cannot be read (EISDIR)', 50]].map(([problem, level]) => [level, `--tokens is "${path}": the file ${problem}. The tokens from before the change stay in force.`]))
  t.equal(await status('alice'), 200)
  rmSync(path, { recursive: true })
  await write([entry('bob')])
  t.strictSame([await status('alice'), await status('bob')], [401, 200], 'and a change for the better counts')
  t.equal(told().length, refused.length + 3)
  for (const user of ['alice', 'bob', 'carol']) t.strictSame(lines.filter((line) => line.includes(tokenOf(user))), [])
})

test('open streams and sockets end with the token that they came with, by stream_closing and 4401; all others stay, and so does the run', async (t) => {
  const users = ['kept', 'extended', 'removed', 'moved', 'shortened']
  const { app, url, write } = await serve(t, users.map((user) => entry(user, { owner: 'alice', ...(user === 'extended' && { expiresAt: '2100-01-01T00:00:00Z' }) })))
  await app.agentRuns.startRun({ sessionId: 's', owner: 'alice', content: '{"demo":{"mode":"hang","n":1,"at":1}}' })
  const peers = await Promise.all(users.map(async (user) => ({
    stream: await SseClient.open(`${url}/sessions/s/stream`, { headers: bearer(user) }),
    socket: await RawSocket.open(url, { headers: bearer(user), behind: SUBSCRIBE })
  })))
  const inCookie = await SseClient.open(`${url}/sessions/s/stream`, { headers: { cookie: `agent_runs_token=${tokenOf('removed')}` } })
  await Promise.all(peers.flatMap(({ stream, socket }) => [stream.frame('text'), socket.until(({ kinds }) => kinds.includes('text'))]))

  await write([
    entry('kept', { owner: 'alice' }), entry('extended', { owner: 'alice', expiresAt: '2200-01-01T00:00:00Z' }),
    entry('moved', { owner: 'bob' }), entry('shortened', { owner: 'alice', expiresAt: '2100-01-01T00:00:00Z' })
  ])
  for (const { stream, socket } of peers.slice(2)) {
    t.equal((await stream.ended()).kinds.at(-1), 'stream_closing')
    t.equal(await socket.gone(), 4401)
    t.equal(socket.kinds.at(-1), 'stream_closing')
  }
  t.equal((await inCookie.ended()).kinds.at(-1), 'stream_closing')
  t.strictSame(await Promise.all(users.map(async (user) => {
    const again = await SseClient.open(`${url}/sessions/s/stream`, { headers: bearer(user) })
    again.cut()
    return again.response.statusCode
  })), [200, 200, 401, 404, 200])

  t.equal((await app.agentRuns.getSession('s'))?.isProcessing, true)
  await app.agentRuns.abortRun({ sessionId: 's' })
  for (const { stream, socket } of peers.slice(0, 2)) {
    await Promise.all([stream.frame('complete'), socket.until(({ kinds }) => kinds.includes('complete'))])
    stream.cut()
    socket.cut()
  }
})

test('changes are found without being told of: in the file, in its place, behind a symbolic link', async (t) => {
  const directory = tempDir(t)
  const folder = (name: string, user: string): string => {
    mkdirSync(join(directory, name))
    writeFileSync(join(directory, name, 'tokens.json'), JSON.stringify([entry(user)]))
    return name
  }
  // As Kubernetes mounts secrets: the file links into a link to a directory, which is turned to another.
  symlinkSync(folder('v1', 'alice'), join(directory, '..data'))
  symlinkSync(join('..data', 'tokens.json'), join(directory, 'tokens.json'))
  const path = join(directory, 'tokens.json')
  const { app } = await buildStandalone(t, ['--tokens', path])
  await app.ready()
  const known = async (user: string) => (await app.inject({ url: '/sessions', headers: bearer(user) })).statusCode === 200
  const until = async (holds: () => Promise<boolean>) => { while (!await holds()) await new Promise((resolve) => { setTimeout(resolve, 10) }) }
  t.ok(await known('alice'))

  symlinkSync(folder('v2', 'bob'), join(directory, '..new'))
  renameSync(join(directory, '..new'), join(directory, '..data'))
  await until(() => known('bob'))
  t.notOk(await known('alice'))

  writeFileSync(join(directory, 'v2', 'tokens.json'), JSON.stringify([entry('bab')]))
  await until(() => known('bab'))
  t.notOk(await known('bob'))

  writeFileSync(`${path}~`, JSON.stringify([entry('carol')]))
  renameSync(`${path}~`, path)
  await until(() => known('carol'))
  t.notOk(await known('bab'))
})

/** The timers by which the file is looked at from now on, in the hands of the test. */
function looks (t: Test) {
  const open = new Map<object, () => void>()
  let kept = 0
  const { setTimeout: set, clearTimeout: clear } = globalThis
  globalThis.setTimeout = ((callback: () => void, ms?: number) => {
    if (!new Error().stack!.split('\n')[2]!.includes('tokens-file.ts')) return set(callback, ms)
    kept++
    const timer = { unref: () => { kept--; return timer } }
    open.set(timer, callback)
    return timer
  }) as typeof set
  globalThis.clearTimeout = ((timer: NodeJS.Timeout) => { if (!open.delete(timer)) clear(timer) }) as typeof clear
  t.teardown(() => { Object.assign(globalThis, { setTimeout: set, clearTimeout: clear }) })
  return {
    get count () { return open.size },
    /** How many of them would keep the process. */
    get kept () { return kept },
    fire () {
      const [[timer, callback] = []] = open
      open.delete(timer!)
      callback!()
    }
  }
}

test('one look follows the other, none keeps the process, and with the server they end', async (t) => {
  const timers = looks(t)
  const { app, file } = await serve(t, [entry('alice')])
  t.strictSame([timers.count, timers.kept], [1, 0])
  timers.fire()
  t.equal(timers.count, 0, 'while one is under way there is no other')
  await file.reload()
  await new Promise((resolve) => { setImmediate(resolve) })
  t.strictSame([timers.count, timers.kept], [1, 0])
  await app.close()
  t.equal(timers.count, 0)
})

test('a look that is under way when the server closes is the last', async (t) => {
  const timers = looks(t)
  const { app, file } = await serve(t, [entry('alice')])
  timers.fire()
  await app.close()
  await file.reload()
  await new Promise((resolve) => { setImmediate(resolve) })
  t.equal(timers.count, 0)
})

test('what comes through a pipe is read once', async (t) => {
  const timers = looks(t)
  const path = join(tempDir(t), 'pipe')
  execFileSync('mkfifo', [path])
  execFile('sh', ['-c', 'printf %s "$1" > "$2"', 'sh', JSON.stringify([entry('alice')]), path])
  const { app } = await buildStandalone(t, ['--tokens', path])
  await app.ready()
  t.equal((await app.inject({ url: '/sessions', headers: bearer('alice') })).statusCode, 200)
  t.equal(timers.count, 0)
})
