/* What can be chosen in an agent's session: its model, its mode, and options of the agent's own. */
import type { SessionConfigOption, SessionModeState, SessionUpdate } from '@agentclientprotocol/sdk'
import { ProviderError } from '../../lib/provider/provider.ts'

type Value = string | boolean

/** What is to hold for a turn. */
export interface Settings {
  model?: string
  mode?: string
  /** By the id of the agent's option. */
  configOptions?: Record<string, Value>
}

/** What an agent says of its session when it opens it. */
export interface OpenedSession {
  modes?: SessionModeState | null
  configOptions?: SessionConfigOption[] | null
  /** Agents that know no `configOptions` have their models here. */
  models?: { currentModelId: string, availableModels: Array<{ modelId: string, name: string }> } | null
}

/** What an agent offers for one setting, and how it is told. */
interface Offer {
  current: Value
  values: readonly Value[]
  set: (value: Value) => Promise<void>
}

/** Sends a request of the session; the session's id is added. */
type Request = (method: string, params: object) => Promise<unknown>

/** An error names no more of what there is. */
const NAMED = 30

export class SessionSettings {
  readonly #request: Request
  #session: OpenedSession = {}
  /** What settings were before the turn. */
  readonly #before = new Map<string, Value>()

  constructor (request: Request) {
    this.#request = request
  }

  /** The session has been opened. */
  opened (session: OpenedSession): void {
    this.#session = session
  }

  /** Takes what the agent changes by itself. */
  update (update: SessionUpdate): void {
    if (update.sessionUpdate === 'current_mode_update' && this.#session.modes) this.#session.modes.currentModeId = update.currentModeId
    if (update.sessionUpdate === 'config_option_update') this.#session.configOptions = update.configOptions
  }

  /** Makes the settings hold. Throws a ProviderError AGENT_OPTION_UNKNOWN for what the agent does not offer. */
  async apply ({ model, mode, configOptions = {} }: Settings): Promise<void> {
    // What a model can do decides what else there is to choose.
    const { model: modelOption, mode: modeOption, ...others } = configOptions
    for (const [name, value] of [['model', model ?? modelOption], ...Object.entries(others), ['mode', mode ?? modeOption]] as Array<[string, Value | undefined]>) {
      if (value !== undefined) await this.#choose(name, value)
    }
  }

  /** Gives back what settings were before `apply`: they held for one turn, also in a process that comes later. */
  async restore (): Promise<void> {
    for (const [name, value] of [...this.#before].reverse()) {
      const offer = this.#find(name)
      // Agents may offer what they began with no longer, such as a model of their own configuration.
      if (offer !== undefined && offer.current !== value && offer.values.includes(value)) await offer.set(value)
      this.#before.delete(name)
    }
  }

  async #choose (name: string, value: Value): Promise<void> {
    const offer = this.#find(name)
    if (offer === undefined) throw new ProviderError(`The agent does not let its ${name} be chosen.`, { code: 'AGENT_OPTION_UNKNOWN' })
    if (offer.current !== value) {
      if (!offer.values.includes(value)) throw new ProviderError(`The agent has no ${name} "${value}". It has: ${list(offer.values)}.`, { code: 'AGENT_OPTION_UNKNOWN' })
      if (!this.#before.has(name)) this.#before.set(name, offer.current)
      await offer.set(value)
    }
  }

  #find (name: string): Offer | undefined {
    const { modes, models, configOptions } = this.#session
    const option = configOptions?.find(({ id }) => id === name) ?? configOptions?.find(({ category }) => category === name)
    if (option !== undefined) return this.#optionOffer(option)
    if (name === 'mode' && modes) {
      return {
        current: modes.currentModeId,
        values: modes.availableModes.map(({ id }) => id),
        set: async (modeId) => {
          await this.#request('session/set_mode', { modeId })
          modes.currentModeId = String(modeId)
        }
      }
    }
    if (name === 'model' && models) {
      return {
        current: models.currentModelId,
        values: models.availableModels.map(({ modelId }) => modelId),
        set: async (modelId) => {
          await this.#request('session/set_model', { modelId })
          models.currentModelId = String(modelId)
        }
      }
    }
    return undefined
  }

  #optionOffer (option: SessionConfigOption): Offer {
    const isBoolean = option.type === 'boolean'
    return {
      current: option.currentValue,
      values: isBoolean ? [true, false] : option.options.flatMap((each) => 'options' in each ? each.options.map(({ value }) => value) : each.value),
      set: async (value) => {
        const answer = await this.#request('session/set_config_option', { configId: option.id, value, ...(isBoolean && { type: 'boolean' }) }) as OpenedSession | null
        if (answer?.configOptions) this.#session.configOptions = answer.configOptions
        else option.currentValue = value
      }
    }
  }
}

function list (values: readonly Value[]): string {
  const named = values.slice(0, NAMED).map(String).join(', ')
  return values.length > NAMED ? `${named}, …` : named
}
