/* Which Node the package runs on; package.json says the same in `engines`, which package managers only warn about. */

// Node-API 10, for which better-sqlite3 is built: where it is lacking, the process crashes without a word.
const OLDEST = { major: 22, minor: 14 }

/** What is wrong with a version of Node, as in `22.14.0`, for people; null if it is new enough. */
export function nodeProblem (version: string): string | null {
  const [major, minor] = version.split('.').map(Number) as [number, number]
  if (major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor)) return null
  return `fastify-agent-runs needs Node ${OLDEST.major}.${OLDEST.minor} or newer; this is v${version}.`
}
