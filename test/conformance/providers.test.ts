import { streamText } from 'ai6'
import { t, test } from 'tap'
import { providerSuite } from '../../conformance/index.ts'
import { aiSdk } from '../../providers/ai-sdk/index.ts'
import { command } from '../../providers/command/command.ts'
import { echo } from '../../providers/echo/echo.ts'
import { openai } from '../../providers/openai/index.ts'
import { modelV3 } from '../helpers/ai-models.ts'
import { FakeModel } from '../helpers/fake-model.ts'

providerSuite((name, work) => test(`echo: ${name}`, work), {
  create: () => echo({ delayMs: 5 }),
  content: 'Say this back.',
  saying: (word) => word,
  longContent: 'word '.repeat(100_000)
})

// Says back what it reads, then, if it is told to, never ends.
const AGENT = `
  process.stdin.on('data', (message) => {
    process.stdout.write(message)
    if (String(message).startsWith('stay')) setInterval(() => process.stdout.write('.'), 10)
  })
`

providerSuite((name, work) => test(`command: ${name}`, work), {
  create: () => command({ command: process.execPath, args: ['-e', AGENT], killGraceMs: 500 }),
  content: 'Say this back.',
  saying: (word) => word,
  longContent: 'stay'
})

const model = await FakeModel.open()
t.teardown(() => model.kill())

providerSuite((name, work) => test(`openai: ${name}`, work), {
  create: () => openai({ model: 'fake', baseUrl: model.openaiUrl, apiKey: 'none' }),
  content: 'Say this back.',
  saying: (word) => word,
  longContent: 'SLOW'
})

providerSuite((name, work) => test(`aiSdk: ${name}`, work), {
  create: () => aiSdk({ stream: ({ messages, signal }) => streamText({ model: modelV3(model.openaiUrl), messages, abortSignal: signal, onError: () => {} }) }),
  content: 'Say this back.',
  saying: (word) => word,
  longContent: 'SLOW'
})
