import { test } from 'tap'
import { BENCHES } from '../../bench/lines/all.ts'
import type { Line } from '../../bench/measure/comparison.ts'
import { ratio, spread } from '../../bench/measure/figure.ts'
import { documentOf } from '../../bench/report/document.ts'
import { thisMachine } from '../../bench/report/machine.ts'
import { rowsOf } from '../../bench/report/table.ts'

const line = (bench: string, rates: number[], fault: string | null = null): Line => ({
  bench,
  what: 'some runs',
  against: 'bare',
  rounds: rates.length,
  figures: [{ name: 'rate', unit: '/s', ours: spread(rates), other: spread([100, 100, 100]), ratio: spread(rates.map((rate) => rate / 100)), goal: ratio('>=', 0.85, 1.5) }],
  complete: 'all of 7',
  fault
})
const results = (date: string, lines: Line[]) => ({ machine: thisMachine(), date, options: { quick: false, events: 1_000_000 }, peers: { 'better-sse': '0.16.1' }, lines })

test('the page of figures has a section for each bench, with its command, its machine and whether its goals are met', async (t) => {
  const page = documentOf([results('2026-11-28T00:00:00.000Z', Object.keys(BENCHES).map((bench) => line(bench, [90, 80, 100])))])
  for (const bench of Object.keys(BENCHES)) t.match(page, `\`npm run bench -- ${bench}\`, 3 rounds: 2026-11-28, Node ${process.version.slice(1)}, `)
  t.match(page, '- `better-sse` 0.16.1, ')
  t.notMatch(page, '- `resumable-stream`')
  t.match(page, '| some runs | bare | rate | 90.0/s (80.0–100) | 100/s | 0.90x (0.80–1.00) | >= 0.85x, then 1.5x |')
})

test('of a bench that was run twice the page has the newest figures', async (t) => {
  const page = documentOf([results('2026-11-28T00:00:00.000Z', [line('append', [50])]), results('2026-11-27T00:00:00.000Z', [line('append', [90]), line('many', [90])])])
  t.match(page, /## Many runs[^#]*0\.90x[^#]*## Appends[^#]*0\.50x/)
  t.match(page, '>= 0.85x, then 1.5x missed')
})

test('what did not arrive stands in the place of figures', async (t) => {
  t.match(documentOf([results('2026-11-28T00:00:00.000Z', [line('append', [50], 'ours: 3 of 4 came')])]), '| some runs | bare | FAILED: ours: 3 of 4 came |')
  t.match(rowsOf(line('append', [50], 'ours: 3 of 4 came')), 'FAILED: ours: 3 of 4 came')
})
