/* The server imports this first: people at a terminal are told without a stack. */
import { nodeProblem } from '../lib/common/node-problem.ts'

const problem = nodeProblem(process.versions.node)
if (problem !== null) {
  process.stderr.write(`${problem}\n`)
  process.exit(1)
}
