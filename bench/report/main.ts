/* `npm run bench:report -- FILE…`: writes docs/performance.md out of what `npm run bench -- --json FILE` has kept. */
import { writeFileSync } from 'node:fs'
import { documentOf } from './document.ts'
import { readResults } from './results.ts'

const PAGE = 'docs/performance.md'
const EXIT_USAGE = 2

const results = process.argv.slice(2).map(readResults)
const problem = results.length === 0
  ? 'Name files that `npm run bench -- --json FILE` has written.'
  : results.some(({ options }) => options.quick) ? 'The figures of --quick mean nothing.' : null

if (problem === null) {
  writeFileSync(PAGE, documentOf(results))
} else {
  process.stderr.write(`${problem}\n`)
  process.exitCode = EXIT_USAGE
}
