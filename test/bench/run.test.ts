import { test } from 'tap'
import { spawnModule } from '../helpers/spawn-script.ts'

test('each bench comes to its end, and finds that everything has arrived', async (t) => {
  const bench = spawnModule(t, 'bench/run.ts', ['--quick'])
  t.equal(await bench.exited, 0)
  const [machine, , heading, ...lines] = bench.lines
  t.match(machine, `Node ${process.version}, `)
  t.match(heading, /^bench .* ratio +aim +CPU\/event ours +CPU\/event bare +ratio +complete$/)
  t.strictSame(lines.map((line) => line.split(' ')[0]), ['append', 'append', 'fan-out', 'fan-out', 'replay', 'replay', 'heap', 'heap', 'followed', 'hanging'])
  for (const line of lines) t.match(line, / \d+\.\d\dx +[<>]= \d\.\dx .* all of [\d,]+/)
})

test('a bench that there is not is told by name', async (t) => {
  const bench = spawnModule(t, 'bench/run.ts', ['speed'])
  t.equal(await bench.exited, 2)
  t.match(bench.lines, ['There is no bench "speed", only append, fan-out, replay, heap, followed, hanging.'])
})
