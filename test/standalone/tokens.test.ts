import { test, type Test } from 'tap'
import { UsageError } from '../../standalone/flags.ts'
import { parseTokens, type Tokens } from '../../standalone/tokens.ts'

const ALICE = 'the-token-of-alice'
const BOB = 'the-token-of-bob!'
const EARLY = '2100-01-01T00:00:00Z'
const LATE = '2200-01-01T00:00:00Z'

/** The tokens in a file of that content, which is JSON unless it is text. */
const tokensOf = (content: unknown): Tokens => parseTokens(typeof content === 'string' ? content : JSON.stringify(content))

/** What is wrong with a content. */
function problemOf (content: unknown): string {
  try {
    tokensOf(content)
  } catch (error) {
    return error instanceof UsageError ? error.message : `not a UsageError: ${String(error)}`
  }
  return 'none'
}

test('a token is its owner\'s, until it expires', (t: Test) => {
  const tokens = tokensOf([
    { token: ALICE, owner: 'alice' },
    { token: BOB, owner: 'bob', expiresAt: '2100-01-01T00:00:00+01:00' },
    { token: 'one-of-yesterday', owner: 'carol', expiresAt: '2020-01-01T00:00Z' }
  ])
  t.match(tokens.identify(ALICE), { owner: 'alice', expiresAt: null, signal: { aborted: false } })
  t.match(tokens.identify(BOB), { owner: 'bob', expiresAt: Date.UTC(2099, 11, 31, 23), signal: { aborted: false } })
  for (const token of ['one-of-yesterday', '', ALICE.slice(1), `${ALICE} `, ALICE.toUpperCase(), 'toString', '__proto__']) t.equal(tokens.identify(token), null, token)
  t.equal(tokens.size, 3)
  t.end()
})

test('the tokens themselves are not kept', (t: Test) => {
  const tokens = tokensOf([{ token: ALICE, owner: 'alice' }])
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

test('of tokens that are replaced, the identities end that the new ones do not have, or not for as long', (t: Test) => {
  const was = { owner: 'alice', expiresAt: EARLY }
  const cases: Array<[string, object | null, object | null, boolean]> = [
    ['the same', was, was, false],
    ['the same, for ever', { owner: 'alice' }, { owner: 'alice' }, false],
    ['later', was, { ...was, expiresAt: LATE }, false],
    ['never', was, { owner: 'alice' }, false],
    ['earlier', { ...was, expiresAt: LATE }, was, true],
    ['at last', { owner: 'alice' }, was, true],
    ['of another owner', was, { ...was, owner: 'bob' }, true],
    ['gone', was, null, true],
    ['new', null, was, false]
  ]
  const [before, after] = ([1, 2] as const).map((side) => tokensOf([{ token: BOB, owner: 'bob' }, ...cases.flatMap((each) => each[side] === null ? [] : { token: `${ALICE} ${each[0]}`.replaceAll(' ', '-'), ...each[side] as object })]))
  const identities = cases.map(([name]) => before!.identify(`${ALICE} ${name}`.replaceAll(' ', '-')))
  after!.replace(before!)
  for (const [index, [name, , granted, ends]] of cases.entries()) {
    t.equal(identities[index]?.signal.aborted ?? false, ends, name)
    t.equal(after!.identify(`${ALICE} ${name}`.replaceAll(' ', '-'))?.signal.aborted, granted === null ? undefined : false, `${name}: what holds now has not ended`)
  }
  // What has gone on once can still be ended.
  const kept = after!.identify(BOB)!
  tokensOf([{ token: ALICE, owner: 'alice' }]).replace(after!)
  t.equal(kept.signal.aborted, true)
  t.equal(identities[0]!.signal.aborted, true, 'also for what was open before the first change')
  t.end()
})

test('of a file that makes no sense it is said what is wrong in it', (t: Test) => {
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
    [[{ token: ALICE, owner: 'alice', role: 'admin' }], 'entry 1 may have "token", "owner" and "expiresAt", and nothing else.'],
    [[{ token: ALICE, owner: 'a' }, { token: BOB, owner: 'b' }, { token: ALICE, owner: 'c' }], 'entry 3 has the same token as entry 1.'],
    ...['tomorrow', '2027-01-01', '2027-01-01T00:00:00', '2027-13-01T00:00:00Z', 1_798_761_600_000].map((expiresAt): [unknown, string] =>
      [[{ token: ALICE, owner: 'alice', expiresAt }], 'entry 1: "expiresAt" must be a time with its zone, such as "2027-01-01T00:00:00Z".'])
  ]
  for (const [content, problem] of cases) t.equal(problemOf(content), problem, JSON.stringify(content))
  t.end()
})

test('what is wrong with a file is said without its tokens', (t: Test) => {
  const broken = [`[{"token": ${ALICE}, "owner": "alice"}]`, `[{"token": "${ALICE}", "owner": "alice"`, [{ token: ALICE }], [{ token: ALICE, owner: 'a' }, { token: ALICE, owner: 'b' }], [{ [ALICE]: 'alice' }], [{ token: BOB, owner: 'bob', [ALICE]: 'alice' }], { [ALICE]: 'alice' }, [ALICE], ALICE]
  for (const content of broken) t.notMatch(problemOf(content), ALICE.slice(0, 5))
  t.end()
})
