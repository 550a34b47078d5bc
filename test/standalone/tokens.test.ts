import { join } from 'node:path'
import { test, type Test } from 'tap'
import { UsageError } from '../../standalone/flags.ts'
import { readTokens } from '../../standalone/tokens.ts'
import { tokensFile } from '../helpers/build-standalone.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const ALICE = 'the-token-of-alice'
const BOB = 'the-token-of-bob!'

/** What is wrong with a file, without its name. */
function problemOf (path: string): string {
  try {
    readTokens(path)
  } catch (error) {
    return error instanceof UsageError ? error.message.replace(`--tokens is "${path}": `, '') : `not a UsageError: ${String(error)}`
  }
  return 'none'
}

test('a token is its owner\'s, until it expires', (t: Test) => {
  const tokens = readTokens(tokensFile(t, [
    { token: ALICE, owner: 'alice' },
    { token: BOB, owner: 'bob', expiresAt: '2100-01-01T00:00:00+01:00' },
    { token: 'one-of-yesterday', owner: 'carol', expiresAt: '2020-01-01T00:00Z' }
  ]))
  t.strictSame(tokens.identify(ALICE), { owner: 'alice', expiresAt: null })
  t.strictSame(tokens.identify(BOB), { owner: 'bob', expiresAt: Date.UTC(2099, 11, 31, 23) })
  for (const token of ['one-of-yesterday', '', ALICE.slice(1), `${ALICE} `, ALICE.toUpperCase(), 'toString', '__proto__']) t.equal(tokens.identify(token), null, token)
  t.end()
})

test('the tokens themselves are not kept', (t: Test) => {
  const tokens = readTokens(tokensFile(t, [{ token: ALICE, owner: 'alice' }]))
  const seen: unknown[] = []
  const { get } = Map.prototype
  // eslint-disable-next-line no-extend-native
  Map.prototype.get = function (key) { seen.push(...this.keys(), key); return get.call(this, key) }
  t.teardown(() => { Map.prototype.get = get }) // eslint-disable-line no-extend-native
  t.match(tokens.identify(ALICE), { owner: 'alice' })
  t.ok(seen.length > 0)
  t.notOk(seen.includes(ALICE))
  t.end()
})

test('a file that makes no sense is named with what is wrong in it', (t: Test) => {
  const missing = join(tempDir(t), 'none.json')
  t.equal(problemOf(missing), 'the file cannot be read (ENOENT).')
  const cases: Array<[unknown, string]> = [
    ['', 'the file is not JSON.'],
    ['[{"token":', 'the file is not JSON.'],
    [{}, 'the file must hold an array of at least one { "token", "owner", "expiresAt"? }.'],
    [[], 'the file must hold an array of at least one { "token", "owner", "expiresAt"? }.'],
    [null, 'the file must hold an array of at least one { "token", "owner", "expiresAt"? }.'],
    [['x'], 'entry 1 must be an object.'],
    [[{ token: ALICE, owner: 'alice' }, null], 'entry 2 must be an object.'],
    [[{ owner: 'alice' }], 'entry 1: "token" must be a string of 16 to 1,024 visible ASCII characters.'],
    [[{ token: 'fifteen-long-no', owner: 'alice' }], 'entry 1: "token" must be a string of 16 to 1,024 visible ASCII characters.'],
    [[{ token: 'x'.repeat(1_025), owner: 'alice' }], 'entry 1: "token" must be a string of 16 to 1,024 visible ASCII characters.'],
    [[{ token: 'with a space in it', owner: 'alice' }], 'entry 1: "token" must be a string of 16 to 1,024 visible ASCII characters.'],
    [[{ token: 'with-an-ümlaut-in-it', owner: 'alice' }], 'entry 1: "token" must be a string of 16 to 1,024 visible ASCII characters.'],
    [[{ token: 1234567890123456, owner: 'alice' }], 'entry 1: "token" must be a string of 16 to 1,024 visible ASCII characters.'],
    [[{ token: ALICE }], 'entry 1: "owner" must be a string that is not empty.'],
    [[{ token: ALICE, owner: '' }], 'entry 1: "owner" must be a string that is not empty.'],
    [[{ token: ALICE, owner: 'alice', role: 'admin' }], 'entry 1 has no property "role".'],
    [[{ token: ALICE, owner: 'a' }, { token: BOB, owner: 'b' }, { token: ALICE, owner: 'c' }], 'entry 3 has the same token as entry 1.'],
    ...['tomorrow', '2027-01-01', '2027-01-01T00:00:00', '2027-13-01T00:00:00Z', 1_798_761_600_000].map((expiresAt): [unknown, string] =>
      [[{ token: ALICE, owner: 'alice', expiresAt }], 'entry 1: "expiresAt" must be a time with its zone, such as "2027-01-01T00:00:00Z".'])
  ]
  for (const [content, problem] of cases) t.equal(problemOf(tokensFile(t, content)), problem, JSON.stringify(content))
  t.end()
})

test('what is wrong with a file is said without its tokens', (t: Test) => {
  const broken = [`[{"token": ${ALICE}, "owner": "alice"}]`, `[{"token": "${ALICE}", "owner": "alice"`, [{ token: ALICE }], [{ token: ALICE, owner: 'a' }, { token: ALICE, owner: 'b' }]]
  for (const content of broken) t.notMatch(problemOf(tokensFile(t, content)), ALICE.slice(0, 5))
  t.end()
})
