import { test } from 'tap'
import { readSettings } from '../../standalone/flags.ts'

const NAMES = ['subscribersPerOwner', 'waitingSubscribersPerOwner', 'socketsPerOwner', 'requestBytesPerOwner', 'answerBytesPerOwner']

function limitsOf (args: string[], env: NodeJS.ProcessEnv = {}): unknown[] {
  const limits = readSettings(args, env).values['limits'] as Record<string, unknown>
  return NAMES.map((name) => limits[name])
}

test('a server with tokens limits each owner, unless it is told otherwise; one without does not', (t) => {
  t.strictSame(limitsOf([]), [0, 0, 0, 0, 0])
  t.strictSame(limitsOf(['--tokens', 'tokens.json']), [1_000, 100, 100, 67_108_864, 67_108_864])
  t.strictSame(limitsOf([], { AGENT_RUNS_TOKENS: 'tokens.json' }), [1_000, 100, 100, 67_108_864, 67_108_864])
  t.strictSame(limitsOf(['--tokens', 'tokens.json', '--sockets-per-owner', '0', '--subscribers-per-owner', '7']), [7, 100, 0, 67_108_864, 67_108_864])
  t.end()
})
