import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'tap'
import type { StoreHarness } from '../../conformance/index.ts'
import type { Store } from '../../lib/store/store.ts'
import { memoryHarness, sqliteHarness } from '../helpers/store-harnesses.ts'
import { type Command, commandArbitrary } from '../conformance/commands.ts'
import { perform } from '../conformance/perform.ts'

const RUNS = Number(process.env['MODEL_RUNS'] ?? 60)

/** What a store answers to commands, one after the other, and what everybody sees after each. */
async function answers (harness: StoreHarness, commands: Command[]): Promise<string[]> {
  const database = await harness.database()
  const stores: Store[] = []
  try {
    while (stores.length < 2) stores.push(await database.open())
    const answers: string[] = []
    for (const [index, command] of commands.entries()) answers.push(await perform(stores, command, index))
    return answers
  } finally {
    for (const store of stores) await store.close()
    await database.close()
  }
}

test('SQLite answers whatever it is asked as the reference does', async (t) => {
  await fc.assert(fc.asyncProperty(fc.array(commandArbitrary, { minLength: 5, maxLength: 60, size: 'max' }), async (commands) => {
    const [expected, actual] = [await answers(memoryHarness(), commands), await answers(sqliteHarness(), commands)]
    for (const [index, command] of commands.entries()) {
      assert.deepEqual(actual[index]!.split('\n'), expected[index]!.split('\n'), `after ${index + 1} commands: ${JSON.stringify(command)}`)
    }
  }), { numRuns: RUNS, ...process.env['MODEL_SEED'] !== undefined && { seed: Number(process.env['MODEL_SEED']) } })
  t.pass()
})
