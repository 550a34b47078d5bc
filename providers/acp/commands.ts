/* The commands of an agent, such as `/review`: it tells them once, and clients that come later are to know them. */
import type { AvailableCommand } from '@agentclientprotocol/sdk'
import type { ProviderEvent } from '../../lib/provider/provider.ts'

/** So many commands are kept, and so many characters of what each says of itself: they are one event. */
const MAX_COMMANDS = 200
const MAX_TEXT = 300
/** Of so many sessions it is known which commands their log has. */
const MAX_SESSIONS = 1_000

export function boundedCommands (commands: AvailableCommand[]): AvailableCommand[] {
  return commands.slice(0, MAX_COMMANDS).map(({ name, description, input }) => ({ name: name.slice(0, MAX_TEXT), description: description.slice(0, MAX_TEXT), ...(input && { input }) }))
}

/** Which commands the logs of sessions have. */
export class ToldCommands {
  /** As JSON, by session, those that were told last last. */
  readonly #told = new Map<string, string>()

  /** The event that tells of the commands, unless the session's log has it from this process. */
  news (sessionId: string, availableCommands: AvailableCommand[]): ProviderEvent[] {
    const json = JSON.stringify(availableCommands)
    if (availableCommands.length === 0 || this.#told.get(sessionId) === json) return []
    this.#told.delete(sessionId)
    this.#told.set(sessionId, json)
    if (this.#told.size > MAX_SESSIONS) this.#told.delete(this.#told.keys().next().value!)
    return [{ kind: 'custom', name: 'available_commands_update', data: { availableCommands } }]
  }

  forget (sessionId: string): void {
    this.#told.delete(sessionId)
  }
}
