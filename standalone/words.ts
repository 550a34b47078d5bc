/* What the standalone server tells the person at the terminal. */
import { SETTINGS, variableOf } from './flags.ts'

/** The three lines that show the product. */
export function greeting (url: string): string {
  return `
fastify-agent-runs is listening at ${url}. Try it:

  # start a run
  curl -i ${url}/sessions/demo/messages -H 'content-type: application/json' -d '{"content":"Hello, this text comes back word by word."}'
  # follow it; cut it with Ctrl-C whenever you like
  curl -N ${url}/sessions/demo/stream
  # resume after the last id that you saw
  curl -N ${url}/sessions/demo/stream -H 'Last-Event-ID: 3'

`
}

/** The answer to --help. */
export function usage (): string {
  const lines = Object.values(SETTINGS).map(({ flag, description, default: otherwise }) => {
    const value = otherwise === undefined || otherwise === '' ? '' : ` Default: ${String(otherwise)}.`
    return `  --${flag} <value>\n      ${description}${value} Also ${variableOf(flag)}.\n`
  })
  return `fastify-agent-runs [options] [-- command [argument …]]

Serves resumable agent runs over HTTP. Without a command the echo provider says back what it is told. With one, each
message runs it: the message goes to its standard input, or replaces the argument {message}.

${lines.join('')}  --help
      Shows this.
`
}
