/* What the standalone server tells the person at the terminal. */
import { SETTINGS, type Settings, variableOf } from './flags.ts'
import { isEveryAddress, isThisMachine } from './hosts.ts'
import { hasPlayground } from './playground.ts'

/** The three lines that show the product, and who else can use it. `address` is where the server listens. */
export function greeting (address: string, settings: Settings): string {
  const { host, prefix, tokens, allowedHosts } = settings.values
  // Under the address of all it does not answer.
  const origin = isEveryAddress(String(host)) ? `http://localhost:${new URL(address).port}` : address
  const url = origin + String(prefix)
  const page = hasPlayground(settings) ? ` in a browser, at ${origin}/, or here` : ''
  const token = tokens === undefined ? '' : ' -H "authorization: Bearer $TOKEN"'
  return `
fastify-agent-runs is listening at ${url}. Try it${page}:

  # start a run
  curl -i ${url}/sessions/demo/messages${token} -H 'content-type: application/json' -d '{"content":"Hello, this text comes back word by word."}'
  # follow it; cut it with Ctrl-C whenever you like
  curl -N ${url}/sessions/demo/stream${token}
  # resume after the last id that you saw
  curl -N ${url}/sessions/demo/stream${token} -H 'Last-Event-ID: 3'

${notes(String(host), allowedHosts as string[], tokens !== undefined)}`
}

/** What somebody who lets others reach the server should know. */
function notes (host: string, allowedHosts: string[], hasTokens: boolean): string {
  const lines: string[] = []
  if (isEveryAddress(host) && allowedHosts.length === 0) lines.push('It listens on every address, but answers only to localhost: give its other names with --allowed-hosts.')
  if (!isThisMachine(host) && !hasTokens) lines.push('Everyone who reaches it may do everything: give --tokens.')
  return lines.map((line) => `${line}\n\n`).join('')
}

/** The answer to --help. */
export function usage (): string {
  const lines = Object.values(SETTINGS).map(({ flag, description, default: given }) => {
    const otherwise = given === undefined ? '' : [given].flat().map((one) => JSON.stringify(one).replace(/^"|"$/g, '')).join()
    const value = otherwise === '' ? '' : ` Default: ${otherwise}.`
    return `  --${flag} <value>\n      ${description}${value} Also ${variableOf(flag)}.\n`
  })
  return `fastify-agent-runs-server [options] [-- command [argument …]]

Serves resumable agent runs over HTTP. Without a command the echo provider says back what it is told. With one, each
message runs it: the message goes to its standard input, or replaces the argument {message}.

${lines.join('')}  --help
      Shows this.
`
}
