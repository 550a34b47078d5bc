import tap, { test } from 'tap'
import { BENCHES } from '../../bench/lines/all.ts'
import { spawnModule } from '../helpers/spawn-script.ts'

// All benches take longer than tests may.
tap.setTimeout(100_000)

test('each bench comes to its end, and finds that everything has arrived', async (t) => {
  const bench = spawnModule(t, 'bench/run.ts', ['--quick'])
  t.equal(await bench.exited, 0)
  const [machine, , heading, ...rows] = bench.lines
  t.match(machine, `Node ${process.version}, `)
  t.match(heading, /^bench +what +against +figure +ours +other +ratio +goal +complete$/)
  // Further figures of a line begin with spaces.
  const lines = rows.filter((row) => !row.startsWith(' '))
  t.strictSame([...new Set(lines.map((line) => line.split(' ')[0]))], Object.keys(BENCHES))
  for (const line of lines) t.match(line, / all of [\d,]+|skipped: /)
})

test('a bench that there is not is told by name', async (t) => {
  const bench = spawnModule(t, 'bench/run.ts', ['speed'])
  t.equal(await bench.exited, 2)
  t.match(bench.lines, [`There is no bench "speed", only ${Object.keys(BENCHES).join(', ')}.`])
})
