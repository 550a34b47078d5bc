import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'tap'
import { readSettings } from '../../standalone/flags.ts'
import { greeting, usage } from '../../standalone/words.ts'
import { buildStandalone } from '../helpers/build-standalone.ts'

const LOCAL = ['localhost', 'LocalHost', 'localhost.', 'localhost:3000', 'app.localhost:80', 'a.b.localhost', '127.0.0.1', '127.1.2.3:3000', '[::1]', '[::1]:3000']
const FOREIGN = [
  'evil.example', 'evil.example:3000', 'localhost.evil.example', 'evillocalhost', '127.0.0.1.evil.example', '127.0.0.1@evil.example', '128.0.0.1', '10.0.0.1', '0.0.0.0', '0.0.0.0:3000',
  '[::]', '[::2]', '[::1', '::1', 'localhost:3000:4000', 'localhost:x', 'localhost, evil.example', 'localhost/'
]

/** Which of `hosts` the server answers to, with these flags. */
async function answered (t: Parameters<typeof buildStandalone>[0], args: string[], hosts: string[]): Promise<string[]> {
  const { app } = await buildStandalone(t, args)
  const chosen: string[] = []
  for (const host of hosts) {
    const { statusCode, body } = await app.inject({ url: '/health', headers: { host } })
    if (statusCode === 200) chosen.push(host)
    else t.strictSame(JSON.parse(body), { statusCode: 403, code: 'HOST_NOT_ALLOWED', error: 'Forbidden', message: `The server does not answer to the host "${host}".` })
  }
  return chosen
}

test('by default the server answers to the names of this machine, and to no other', async (t) => {
  t.strictSame(await answered(t, [], [...LOCAL, ...FOREIGN]), LOCAL)
  for (const everywhere of ['0.0.0.0', '::']) t.strictSame(await answered(t, ['--host', everywhere], [...LOCAL, ...FOREIGN]), LOCAL, everywhere)
})

test('the name or address to listen on is one of its names', async (t) => {
  t.strictSame(await answered(t, ['--host', '10.0.0.1'], [...LOCAL, ...FOREIGN]), [...LOCAL, '10.0.0.1'])
  t.strictSame(await answered(t, ['--host', 'Box.Example'], ['box.example', 'BOX.example:3000', 'other.example', 'localhost']), ['box.example', 'BOX.example:3000', 'localhost'])
  t.strictSame(await answered(t, ['--host', 'fe80::1'], ['[fe80::1]:3000', '[FE80::1]', '[fe80::2]']), ['[fe80::1]:3000', '[FE80::1]'])
})

test('--allowed-hosts adds names, or all with *', async (t) => {
  t.strictSame(await answered(t, ['--host', '0.0.0.0', '--allowed-hosts', 'App.Example, b.example.,fd00::1'], ['app.example', 'APP.EXAMPLE:443', 'b.example', '[fd00::1]', 'x.app.example', 'localhost', '0.0.0.0']),
    ['app.example', 'APP.EXAMPLE:443', 'b.example', '[fd00::1]', 'localhost'])
  t.strictSame(await answered(t, ['--allowed-hosts', '*'], FOREIGN), FOREIGN)
})

test('names that are none are usage errors', (t) => {
  for (const list of ['', 'a.example,', 'a.example:3000', 'http://a.example', '*.a.example', 'a b', 'bücher.example', '.a.example', 'a..example']) {
    t.throws(() => readSettings(['--allowed-hosts', list], {}), { message: `--allowed-hosts is "${list}": it must be names with commas between them, without ports, or *.` })
  }
  t.end()
})

test('every route asks for the name: those of the plugin, those that do not exist, and preflights', async (t) => {
  const { app } = await buildStandalone(t, ['--cors-origin', 'https://app.example'])
  const requests = [
    { url: '/sessions' }, { url: '/none' }, { method: 'POST' as const, url: '/sessions/s/messages', payload: { content: 'x' } }, { url: '/sessions/s/stream' },
    { method: 'OPTIONS' as const, url: '/sessions', headers: { origin: 'https://app.example', 'access-control-request-method': 'PATCH' } }
  ]
  for (const { headers = {}, ...request } of requests) {
    const response = await app.inject({ ...request, headers: { ...headers, host: 'evil.example' } })
    t.match([response.statusCode, response.json()], [403, { code: 'HOST_NOT_ALLOWED' }], request.url)
    t.notOk('access-control-allow-origin' in response.headers)
  }
  t.equal(await app.agentRuns.getSession('s'), null)
})

test('a client that names no host is refused', async (t) => {
  const { app } = await buildStandalone(t)
  const { port, hostname } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }))
  for (const request of ['GET /health HTTP/1.0\r\n\r\n', 'GET /health HTTP/1.1\r\nhost:\r\nconnection: close\r\n\r\n']) {
    const socket = connect(Number(port), hostname)
    let answer = ''
    socket.setEncoding('utf8').on('data', (text: string) => { answer += text }).write(request)
    await once(socket, 'close')
    t.match(answer, /^HTTP\/1.1 403 [^]*HOST_NOT_ALLOWED/)
  }
})

test('the greeting shows lines that work, and says what lets others in', (t) => {
  const greet = (address: string, ...args: string[]): string => greeting(address, readSettings(args, {}))
  const local = greet('http://127.0.0.1:3000', '--prefix', '/api')
  t.match(local, 'curl -N http://127.0.0.1:3000/api/sessions/demo/stream\n')
  t.notMatch(local, /--allowed-hosts|--tokens|TOKEN/)
  const open = greet('http://172.17.0.2:3000', '--host', '0.0.0.0')
  t.match(open, 'listening at http://localhost:3000. Try it')
  t.match(open, 'answers only to localhost: give its other names with --allowed-hosts.')
  t.match(open, 'Everyone who reaches it may do everything: give --tokens.')
  const named = greet('http://[::]:3000', '--host', '::', '--allowed-hosts', 'a.example', '--tokens', 'tokens.json')
  t.match(named, 'curl -N http://localhost:3000/sessions/demo/stream -H "authorization: Bearer $TOKEN"\n')
  t.notMatch(named, /--allowed-hosts|give --tokens/)
  t.match(greet('http://10.0.0.1:3000', '--host', '10.0.0.1'), 'Everyone who reaches it')
  t.match(usage(), /--allowed-hosts <value>\n.*AGENT_RUNS_ALLOWED_HOSTS/)
  t.end()
})
