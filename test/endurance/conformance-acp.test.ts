/* The suite for providers with an agent that is a process of its own, started anew for each test. */
import { test } from 'tap'
import { providerSuite } from '../../conformance/index.ts'
import { acp } from '../../providers/acp/index.ts'
import { testAgent } from '../helpers/acp-app.ts'

providerSuite((name, work) => test(`acp: ${name}`, work), {
  create: () => acp({ ...testAgent(), cancelGraceMs: 500, killGraceMs: 500 }),
  content: 'Say this back.',
  saying: (word) => word,
  longContent: 'wait'
})
