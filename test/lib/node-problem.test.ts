import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { nodeProblem } from '../../lib/common/node-problem.ts'

test('versions of Node are refused up to the one that package.json names', (t) => {
  for (const version of ['8.17.0', '20.20.2', '22.0.0', '22.9.0', '22.13.1']) t.equal(nodeProblem(version), `fastify-agent-runs needs Node 22.14 or newer; this is v${version}.`)
  for (const version of ['22.14.0', '22.23.3', '24.0.0', '26.1.0', '100.0.0']) t.equal(nodeProblem(version), null, version)
  const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { engines: { node: string } }
  t.equal(engines.node, '>=22.14')
  t.end()
})
