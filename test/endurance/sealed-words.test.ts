/* Messages of any words, sealed at any length. */
import fc from 'fast-check'
import { test } from 'tap'
import type { ProviderEvent } from '../../index.ts'
import { delta, run, shown } from '../helpers/limited-run.ts'

test('however it is streamed and sealed, the words are those that were said', async (t) => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.record({ name: fc.constantFrom(undefined, 'a', 'b'), content: fc.string({ maxLength: 12 }) }), { maxLength: 30 }),
    fc.integer({ min: 1, max: 40 }), fc.boolean(),
    async (parts, messageBytes, withWhole) => {
      const said = new Map<string | undefined, string>()
      const name = parts[0]?.name
      // One message at a time, as its whole belongs to it alone.
      for (const { content } of parts) said.set(name, (said.get(name) ?? '') + content)
      const whole: ProviderEvent[] = withWhole && said.size > 0 ? [{ kind: 'text', content: said.get(name)!, ...name !== undefined && { messageId: name } }] : []
      const events = await run(t, [...parts.map(({ content }) => delta(content, name)), ...whole], { messageBytes })
      return shown(events).join('') === (said.get(name) ?? '') && shown(events.filter(({ kind }) => kind === 'text')).join('') === (said.get(name) ?? '')
    }
  ), { numRuns: 150 })
})
