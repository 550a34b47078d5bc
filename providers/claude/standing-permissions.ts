/* What a user has allowed for the rest of a session: each message has a process of its own, which has to be told again. */

/** A change of what the agent may do without asking, as the SDK suggests it. */
export type PermissionUpdate =
  | { type: 'addRules', behavior: string, rules: Array<{ toolName: string, ruleContent?: string }>, destination: string }
  | { type: 'setMode', mode: string, destination: string }
  | { type: 'addDirectories', directories: string[], destination: string }
  | { type: string, destination: string }

/** What is kept for a session. */
export interface Standing {
  /** As settings of the agent have them. */
  rules: string[]
  directories: string[]
  mode?: string
}

/** So many rules and directories are kept for a session, and for so many sessions: the others are asked for again. */
const MAX_RULES = 200
const MAX_SESSIONS = 1_000
/** A suggestion may loosen so much, and no more. */
const MODES = new Set(['acceptEdits'])

/** The suggestions that can be offered; they count for the session and change no file. */
export function offered (suggestions: PermissionUpdate[] = []): PermissionUpdate[] {
  return suggestions.flatMap((update) => standingOf([update]) === null ? [] : { ...update, destination: 'session' })
}

/** The suggestions in words. */
export function nameOf (updates: PermissionUpdate[]): string {
  const { rules, directories, mode } = standingOf(updates)!
  return [...mode === undefined ? [] : ['all edits'], ...rules, ...directories].join(', ')
}

/** What has been allowed in each session; kept in memory, so that after a restart the user is asked again. */
export class StandingPermissions {
  /** Those that were used last last. */
  readonly #sessions = new Map<string, Standing>()

  of (sessionId: string): Standing {
    return this.#sessions.get(sessionId) ?? { rules: [], directories: [] }
  }

  add (sessionId: string, updates: PermissionUpdate[]): void {
    const [before, more] = [this.of(sessionId), standingOf(updates)!]
    const joined = (a: string[], b: string[]): string[] => [...new Set([...a, ...b])].slice(-MAX_RULES)
    this.#sessions.delete(sessionId)
    this.#sessions.set(sessionId, { ...before, ...more, rules: joined(before.rules, more.rules), directories: joined(before.directories, more.directories) })
    if (this.#sessions.size > MAX_SESSIONS) this.#sessions.delete(this.#sessions.keys().next().value!)
  }

  forget (sessionId: string): void {
    this.#sessions.delete(sessionId)
  }
}

/** What the updates allow; null if they allow nothing that can be offered. */
function standingOf (updates: PermissionUpdate[]): Standing | null {
  const standing: Standing = { rules: [], directories: [] }
  for (const update of updates) {
    if ('rules' in update && update.type === 'addRules' && update.behavior === 'allow') {
      standing.rules.push(...update.rules.map(({ toolName, ruleContent }) => ruleContent === undefined ? toolName : `${toolName}(${ruleContent})`))
    } else if ('mode' in update && MODES.has(update.mode)) standing.mode = update.mode
    else if ('directories' in update && update.type === 'addDirectories') standing.directories.push(...update.directories)
  }
  return standing.rules.length + standing.directories.length === 0 && standing.mode === undefined ? null : standing
}
