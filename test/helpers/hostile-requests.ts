/* What clients should never send, and what the standalone server answers to it. */
import { rawRequest, type RawOptions } from './raw-request.ts'

export interface HostileRequest {
  name: string
  bytes: Buffer
  /** The status, which may be one of several where Node decides; null: the connection is closed without a word. */
  answer: Array<number | null>
  /** The code in the answer, where it is one of ours. */
  code?: string
  /** A status of 200 is that of a stream, whose first frames are of these kinds. */
  gap?: 'malformed' | 'ahead' | null
  /** Whether the client says that it has nothing more to send. */
  finish?: boolean
}

const STREAM = '/sessions/hostile/stream'
const MESSAGES = '/sessions/hostile/messages'
const JSON_TYPE: [string, string] = ['content-type', 'application/json']

type Told = Omit<HostileRequest, 'name' | 'bytes'>

function get (name: string, path: string, told: Told, headers: Array<[string, string]> = []): HostileRequest {
  return { name, bytes: rawRequest(path, { headers }), ...told }
}

function post (name: string, body: string | Buffer, told: Told, headers: Array<[string, string]> = [JSON_TYPE], more: RawOptions = {}): HostileRequest {
  return { name, bytes: rawRequest(MESSAGES, { method: 'POST', body, headers, ...more }), ...told }
}

function bytes (name: string, text: string, told: Told): HostileRequest {
  return { name, bytes: Buffer.from(text, 'latin1'), ...told }
}

const MALFORMED: Told = { answer: [200], gap: 'malformed' }
const INVALID_CURSOR: Told = { answer: [400], code: 'INVALID_CURSOR' }
const INVALID: Told = { answer: [400], code: 'INVALID_REQUEST' }

const NO_CURSORS = ['-1', '1.5', '1e3', '0x10', '+5', '005', '5abc', 'NaN', 'Infinity', 'null', '9007199254740993', '99999999999999999999', '1 2', '\u00bd']

export const CURSORS: HostileRequest[] = [
  ...NO_CURSORS.map((cursor) => get(`a header of ${cursor}`, STREAM, MALFORMED, [['last-event-id', cursor]])),
  ...NO_CURSORS.map((cursor) => get(`a query of ${cursor}`, `${STREAM}?lastEventId=${encodeURIComponent(cursor)}`, INVALID_CURSOR)),
  get('an empty header', STREAM, { answer: [200], gap: null }, [['last-event-id', '']]),
  get('a blank header', STREAM, { answer: [200], gap: null }, [['last-event-id', '  \t ']]),
  get('an empty query', `${STREAM}?lastEventId=`, { answer: [200], gap: null }),
  get('a header from the future', STREAM, { answer: [200], gap: 'ahead' }, [['last-event-id', '9007199254740991']]),
  get('a query from the future', `${STREAM}?lastEventId=9007199254740991`, { answer: [200], gap: 'ahead' }),
  get('the header twice', STREAM, MALFORMED, [['last-event-id', '1'], ['last-event-id', '2']]),
  get('the query twice', `${STREAM}?lastEventId=1&lastEventId=2`, INVALID),
  get('a header and another query', `${STREAM}?lastEventId=7`, { answer: [200], gap: null }, [['last-event-id', '0']]),
  get('a header in UTF-8', STREAM, MALFORMED, [['last-event-id', '\u26037']]),
  get('a query in UTF-8', `${STREAM}?lastEventId=%E2%98%837`, INVALID_CURSOR),
  get('a header of 15 KB', STREAM, MALFORMED, [['last-event-id', '1'.repeat(15_000)]]),
  get('a header of 20 KB', STREAM, { answer: [431] }, [['last-event-id', '1'.repeat(20_000)]]),
  get('a header with NUL', STREAM, { answer: [400] }, [['last-event-id', '1\0']]),
  get('a header with a bare LF', STREAM, { answer: [400] }, [['last-event-id', '1\n2']]),
  get('a folded header', STREAM, { answer: [400] }, [['last-event-id', '1\r\n 2']]),
  get('latest in the header', STREAM, MALFORMED, [['last-event-id', 'latest']]),
  get('until twice', `${STREAM}?until=complete&until=complete`, INVALID),
  get('until something else', `${STREAM}?until=dawn`, INVALID),
  get('a limit of 0', `${MESSAGES}?limit=0`, INVALID),
  get('a limit of 1e9', `${MESSAGES}?limit=1000000000`, INVALID),
  get('a limit that is twice there', `${MESSAGES}?limit=1&limit=2`, INVALID),
  get('before of -1', `${MESSAGES}?before=-1`, INVALID),
  get('after of 1e3', '/sessions/hostile/events?after=1e3', INVALID)
]

export const METHODS: HostileRequest[] = [
  ...['HEAD', 'OPTIONS', 'PUT', 'TRACE', 'DELETE', 'PATCH'].map((method) => ({ name: `${method} of the stream`, bytes: rawRequest(STREAM, { method }), answer: [404] })),
  { name: 'POST of the stream', bytes: rawRequest(STREAM, { method: 'POST', body: '{}', headers: [JSON_TYPE] }), answer: [404] },
  get('GET of the abort', '/sessions/hostile/abort', { answer: [404] }),
  { name: 'a method that there is not', bytes: rawRequest(STREAM, { method: 'FETCH' }), answer: [400] },
  { name: 'CONNECT', bytes: rawRequest('example.org:80', { method: 'CONNECT' }), answer: [null] },
  get('Accept: application/json on the stream', STREAM, { answer: [406], code: 'NOT_ACCEPTABLE' }, [['accept', 'application/json']]),
  get('Accept: nonsense on the stream', STREAM, { answer: [406], code: 'NOT_ACCEPTABLE' }, [['accept', ';;q=,']]),
  get('Accept: */* on the stream', STREAM, { answer: [200], gap: null }, [['accept', '*/*']]),
  get('an empty Accept on the stream', STREAM, { answer: [200], gap: null }, [['accept', '']]),
  get('an upgrade on the stream', STREAM, { answer: [200], gap: null }, [['connection', 'upgrade'], ['upgrade', 'websocket']]),
  get('a range on the stream', STREAM, { answer: [200], gap: null }, [['range', 'bytes=5-']])
]

const NO_SESSION_IDS = [
  '..%2f..%2fetc%2fpasswd', '%2e%2e%2f', '%00', 'a%00b', 'a%0d%0aset-cookie:%20x=1', '%e2%80%a8', '__proto__', '.hidden', 'dot.', 'a%20b', 'a%2fb', '%F0%9F%92%A9',
  'a%1b%5b31mred', "a'%3bDROP%20TABLE%20x", '%3Cscript%3E', 'a%5cb'
]

export const SESSION_IDS: HostileRequest[] = [
  ...NO_SESSION_IDS.flatMap((id) => [
    get(`a stream of ${id}`, `/sessions/${id}/stream`, INVALID),
    { name: `a message to ${id}`, bytes: rawRequest(`/sessions/${id}/messages`, { method: 'POST', body: '{"content":"x"}', headers: [JSON_TYPE] }), ...INVALID }
  ]),
  get('a stream of an id of 101 characters', `/sessions/${'x'.repeat(101)}/stream`, { answer: [414] }),
  get('a stream of an id of 8,000 characters', `/sessions/${'x'.repeat(8_000)}/stream`, { answer: [414] }),
  get('a stream of no id', '/sessions//stream', INVALID),
  get('a stream of ..', '/sessions/../stream', INVALID),
  get('a stream of %zz', '/sessions/%zz/stream', { answer: [400] }),
  get('a stream of an overlong slash', '/sessions/%c0%af/stream', { answer: [400] }),
  get('constructor, which is an id like any other', '/sessions/constructor/stream', { answer: [200], gap: null }),
  get('a run of __proto__', '/runs/__proto__', { answer: [404], code: 'RUN_NOT_FOUND' }),
  get('a run of NUL', '/runs/%00', { answer: [404], code: 'RUN_NOT_FOUND' }),
  get('a page of sessions before NUL', '/sessions?before=%00', { answer: [200] }),
  get('a page of sessions before an object', '/sessions?before[a]=1', { answer: [200] }),
  get('a URL with a fragment', `${STREAM}#x`, { answer: [200], gap: null }),
  get('an absolute URL, of which only the path counts', 'http://evil.example/sessions', { answer: [200] })
]

const LARGE = JSON.stringify({ content: 'x'.repeat(3_000_000) })
const DEEP = `${'['.repeat(100_000)}${']'.repeat(100_000)}`

export const BODIES: HostileRequest[] = [
  post('no body at all', '', INVALID),
  { name: 'no body and no type', bytes: rawRequest(MESSAGES, { method: 'POST' }), ...INVALID },
  ...['{', '{"content":', 'null', '[]', '5', '"x"', '{"content":5}', '{"content":null}', '{"content":["a"]}', '{"content":{}}', '{"content":""}', '{"content":"x","onBusy":"never"}',
    '{"content":"x","options":[]}', '{"content":"x","provider":5}', '{"content":"x","more":1}', '{"content":[{"type":"text","text":"x","more":1}]}', '{"content":"x"}{"content":"y"}', '{\'content\':\'x\'}', '\0',
    '{"content":"x","__proto__":{"admin":true}}', '{"content":"x","constructor":{"prototype":{"admin":true}}}', '{"content":"x","options":{"__proto__":{"a":1}}}', '{"content":"x","options":{"a":{"constructor":{"prototype":{}}}}}'
  ].map((body) => post(`the body ${JSON.stringify(body)}`, body, INVALID)),
  post('a byte order mark before something else', '\ufeff{"content":5}', INVALID),
  post('UTF-16', Buffer.from('\ufeff{"content":"x"}', 'utf16le'), INVALID, [['content-type', 'application/json; charset=utf-16']]),
  post('a member that is twice there, the last of the wrong type', '{"content":"x","content":5}', INVALID),
  post('invalid UTF-8 in a name', Buffer.from('{"content":"x","\xff":1}', 'latin1'), INVALID),
  post('text/plain', '{"content":"x"}', { answer: [415], code: 'UNSUPPORTED_MEDIA_TYPE' }, [['content-type', 'text/plain']]),
  post('a form', 'content=x', { answer: [415], code: 'UNSUPPORTED_MEDIA_TYPE' }, [['content-type', 'application/x-www-form-urlencoded']]),
  post('a form with files', '--x\r\n\r\n--x--', { answer: [415], code: 'UNSUPPORTED_MEDIA_TYPE' }, [['content-type', 'multipart/form-data; boundary=x']]),
  post('no type', '{"content":"x"}', { answer: [415], code: 'UNSUPPORTED_MEDIA_TYPE' }, []),
  post('a type that is none', '{"content":"x"}', { answer: [415], code: 'UNSUPPORTED_MEDIA_TYPE' }, [['content-type', 'json/']]),
  post('two types', '{"content":"x"}', { answer: [415], code: 'UNSUPPORTED_MEDIA_TYPE' }, [['content-type', 'text/plain, application/json']]),
  post('3 MB', LARGE, { answer: [413, null], code: 'BODY_TOO_LARGE' }),
  post('content that is 100,000 deep', `{"content":${DEEP}}`, { answer: [413], code: 'BODY_TOO_COMPLEX' }),
  post('content that is 300 deep', `{"content":${'['.repeat(300)}${']'.repeat(300)}}`, { answer: [413], code: 'BODY_TOO_COMPLEX' }),
  post('content that is 200 deep', `{"content":${'['.repeat(200)}${']'.repeat(200)}}`, INVALID),
  post('options that are 200 deep', `{"content":"x","options":{"a":${'['.repeat(200)}${']'.repeat(200)}}}`, { answer: [400] }),
  post('an empty key', '{"content":"x"}', INVALID, [JSON_TYPE, ['idempotency-key', '']]),
  post('a key of 256 characters', '{"content":"x"}', INVALID, [JSON_TYPE, ['idempotency-key', 'k'.repeat(256)]]),
  post('a key in UTF-8', '{"content":"x"}', INVALID, [JSON_TYPE, ['idempotency-key', '\u2603']]),
  post('gzip', Buffer.from('1f8b0800', 'hex'), INVALID, [JSON_TYPE, ['content-encoding', 'gzip']]),
  post('Expect: something', '{"content":5}', { answer: [417] }, [JSON_TYPE, ['expect', 'the-spanish-inquisition']])
]

const HEAD = `POST ${MESSAGES} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n`

export const WIRE: HostileRequest[] = [
  bytes('a length and chunks', `${HEAD}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, { answer: [400] }),
  bytes('two lengths', `${HEAD}content-length: 5\r\ncontent-length: 6\r\n\r\n{}    `, { answer: [400] }),
  bytes('a length that is none', `${HEAD}content-length: five\r\n\r\n{}`, { answer: [400] }),
  bytes('a negative length', `${HEAD}content-length: -1\r\n\r\n{}`, { answer: [400] }),
  bytes('a bad chunk', `${HEAD}transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`, { answer: [400] }),
  bytes('an unknown coding', `${HEAD}transfer-encoding: gzip\r\n\r\n{}`, { answer: [400, 501] }),
  { ...bytes('a body that ends early', `${HEAD}content-length: 500\r\n\r\n{"content":`, { answer: [400, null] }), finish: true },
  { ...bytes('chunks that end early', `${HEAD}transfer-encoding: chunked\r\n\r\n5\r\n{"con`, { answer: [400, null] }), finish: true },
  bytes('a chunk of more than may be', `${HEAD}transfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n`, { answer: [400] }),
  bytes('3,000 tiny headers', `GET /sessions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${'a: b\r\n'.repeat(3_000)}\r\n`, { answer: [200, 431] }),
  bytes('3,000 headers', `GET /sessions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${'header: value\r\n'.repeat(3_000)}\r\n`, { answer: [431] }),
  bytes('no host', 'GET /sessions HTTP/1.1\r\nconnection: close\r\n\r\n', { answer: [400] }),
  bytes('two hosts', 'GET /sessions HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\nconnection: close\r\n\r\n', { answer: [400, 403, 200] }),
  bytes('a foreign host', 'GET /sessions HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n', { answer: [403], code: 'HOST_NOT_ALLOWED' }),
  bytes('HTTP/0.9', 'GET /sessions\r\n\r\n', { answer: [400, 403] }),
  bytes('HTTP/1.0', 'GET /sessions HTTP/1.0\r\nhost: localhost\r\n\r\n', { answer: [200] }),
  bytes('HTTP/9.9', 'GET /sessions HTTP/9.9\r\nhost: localhost\r\n\r\n', { answer: [400] }),
  bytes('HTTP/2 without leave', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', { answer: [400] }),
  bytes('TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', { answer: [400] }),
  bytes('garbage', '\0\xff\xfe\r\n\r\n'.repeat(50), { answer: [400] }),
  bytes('a space in a header\'s name', 'GET /sessions HTTP/1.1\r\nhost : localhost\r\n\r\n', { answer: [400] }),
  bytes('a URL with a space', 'GET /sessions /x HTTP/1.1\r\nhost: localhost\r\n\r\n', { answer: [400] }),
  { ...bytes('half a head', 'GET /sessions HTTP/1.1\r\nhost: loc', { answer: [400, null] }), finish: true },
  { ...bytes('nothing', '', { answer: [null] }), finish: true }
]

export const HOSTILE_REQUESTS: HostileRequest[] = [...CURSORS, ...METHODS, ...SESSION_IDS, ...BODIES, ...WIRE]
