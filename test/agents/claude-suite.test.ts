/* The contract of providers, kept with the real agent. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tap, { test } from 'tap'
import { providerSuite } from '../../conformance/index.ts'
import { claude } from '../../providers/claude/index.ts'
import { claudeSdk, surroundings } from '../helpers/claude-world.ts'
import { FakeModel } from '../helpers/fake-model.ts'

const { skip, load } = claudeSdk

if (skip === false) {
  let model: Promise<FakeModel> | undefined
  tap.teardown(async () => (await model)?.kill())
  providerSuite((name, work) => test(`claude: ${name}`, work), {
    create: async () => {
      const home = mkdtempSync(join(tmpdir(), 'agent-runs-'))
      tap.teardown(() => rmSync(home, { recursive: true, force: true }))
      return claude({ cwd: home, sdk: load, env: surroundings(await (model ??= FakeModel.open()), home) })
    },
    content: 'Say this back.',
    saying: (word) => word,
    longContent: 'SLOW'
  })
} else {
  test('claude: the provider suite', { skip }, async () => {})
}
