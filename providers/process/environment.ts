/* Which of the server's variables an agent gets. */

export interface EnvironmentOptions {
  /**
   * What the agent gets of the server's environment: all of it (true), nothing (false), or the variables of these names; a
   * name may end in `*`. Default true.
   */
  inheritEnv?: boolean | readonly string[]
  /** Variables that are added to it; `undefined` takes one out of it. Default none. */
  env?: Record<string, string | undefined>
}

/** What names variables for `inheritEnv`, as a regular expression: a name, the start of names with a `*` behind it, or `*`. */
export const VARIABLES = '^(\\*|[^\\s=,*]+\\*?)$'

const IS_WINDOWS = process.platform === 'win32'

/** The environment of an agent. */
export function environmentOf ({ inheritEnv = true, env }: EnvironmentOptions): Record<string, string | undefined> {
  if (inheritEnv === true) return { ...process.env, ...env }
  const names = inheritEnv === false ? [] : variablesNamed(inheritEnv)
  return { ...Object.fromEntries(names.map((name) => [name, process.env[name]])), ...env }
}

/** The variables of the server's environment that a list names; `PREFIX_*` names all that start so, `*` all. */
export function variablesNamed (list: readonly string[]): string[] {
  const wanted = list.map(folded)
  return Object.keys(process.env).filter((name) => {
    return wanted.some((each) => each.endsWith('*') ? folded(name).startsWith(each.slice(0, -1)) : folded(name) === each)
  })
}

/** Windows takes names of either case for the same. */
function folded (name: string): string {
  return IS_WINDOWS ? name.toUpperCase() : name
}
