/* Which Node the package runs on; package.json says the same in `engines`, which package managers only warn about. */

const OLDEST = 22

/** What is wrong with this Node, for people; null if it is new enough. */
export const nodeProblem = Number.parseInt(process.versions.node) < OLDEST
  ? `fastify-agent-runs needs Node ${OLDEST} or newer; this is ${process.version}.`
  : null
