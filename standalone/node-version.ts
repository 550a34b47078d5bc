/* The server imports this first: people at a terminal are told without a stack. */
import { nodeProblem } from '../lib/node-problem.ts'

if (nodeProblem !== null) {
  process.stderr.write(`${nodeProblem}\n`)
  process.exit(1)
}
