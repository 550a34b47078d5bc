/* Each entry of the package but the client imports this first, before anything native is loaded. */
import { nodeProblem } from './node-problem.ts'

const problem = nodeProblem(process.versions.node)
if (problem !== null) throw new Error(problem)
