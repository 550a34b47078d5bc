/* Each entry of the package but the client imports this first: native modules crash an older Node without a word. */
import { nodeProblem } from './node-problem.ts'

if (nodeProblem !== null) throw new Error(nodeProblem)
