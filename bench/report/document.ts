/* docs/performance.md, out of what `--json` has kept. */
import { BENCHES, type BenchName } from '../lines/all.ts'
import type { Line, Skipped } from '../measure/comparison.ts'
import type { PeerName } from '../peers/packages.ts'
import { ABOUT, PEERS } from './about.ts'
import { goalText, ratioText, spreadText } from './cells.ts'
import { DEFAULT_EVENTS, type Results } from './results.ts'

const INTRODUCTION = `# Performance

<!-- Written by \`npm run bench:report\`: change bench/report, and let it write this anew. -->

What this package costs, against the bare minimum that gives a client the same, and against other packages. Only ratios mean much: each is
the median of interleaved rounds of both sides, with the least and the most of the rounds in brackets. All other figures are
those of the machine that is named. CPU is user and system time of the server's process. In each round each reader checks that every
event came, once and in order; where one did not the run fails. A goal is what we want to keep, or to reach.
[bench/README.md](../bench/README.md) says more about how it is measured.

\`npm run bench -- --json bench.json\`, then \`npm run bench:report -- bench.json\`, writes this page for your machine.
`

const HEAD = '| what | against | figure | ours | other | ratio | goal |\n| --- | --- | --- | --- | --- | --- | --- |\n'

/** The page. Of a bench that is in several results the newest count. */
export function documentOf (results: readonly Results[]): string {
  const newestFirst = results.toSorted((a, b) => b.date.localeCompare(a.date))
  const sections = (Object.keys(BENCHES) as BenchName[]).flatMap((name) => {
    const from = newestFirst.find(({ lines }) => lines.some(({ bench }) => bench === name))
    return from === undefined ? [] : [section(name, from)]
  })
  return [INTRODUCTION, ...sections, others(newestFirst)].join('\n')
}

function section (name: BenchName, { machine, date, options, lines }: Results): string {
  const { title, ours, bare } = ABOUT[name]
  const ofBench = lines.filter(({ bench }) => bench === name)
  const events = name !== 'growth' || options.events === DEFAULT_EVENTS ? '' : ` --events ${options.events}`
  const rounds = ofBench.flatMap((line) => 'rounds' in line ? line.rounds : []).at(0) ?? 0
  return [
    `## ${title}`,
    ...bare === null ? [ours] : [`Ours: ${ours}`, `Bare: ${bare}`],
    `\`npm run bench -- ${name}${events}\`, ${rounds} ${rounds === 1 ? 'round' : 'rounds'}: ${date.slice(0, 10)}, Node ${machine.node.slice(1)}, ${machine.processor}, ${machine.cpus} CPUs, ${machine.memoryGb} GB, ${machine.system}.`,
    HEAD + ofBench.map(rowsOf).join('')
  ].join('\n\n')
}

/** What the other packages are, of which versions. */
function others (results: readonly Results[]): string {
  const items = (Object.keys(PEERS) as PeerName[]).flatMap((name) => {
    const version = results.find(({ peers }) => peers[name] !== undefined)?.peers[name]
    return version === undefined ? [] : `- \`${name}\` ${version}, ${PEERS[name]}\n`
  })
  return `## Other packages\n\nThey do a part of what this one does; events are given to them as JSON, so that they need not make it for each reader.\n\n${items.join('')}`
}

function rowsOf (line: Line | Skipped): string {
  if ('skipped' in line) return row([line.what, line.against, `skipped: ${line.skipped}`, '', '', '', ''])
  if (line.fault !== null) return row([line.what, line.against ?? '', `FAILED: ${line.fault}`, '', '', '', ''])
  return line.figures.map((figure, index) => row([
    ...index === 0 ? [line.what, line.against ?? ''] : ['', ''],
    figure.name,
    spreadText(figure.ours, figure.unit),
    figure.other === null ? '' : spreadText(figure.other, figure.unit),
    ratioText(figure),
    goalText(figure)
  ])).join('')
}

function row (cells: string[]): string {
  return `| ${cells.join(' | ')} |\n`
}
