/* What a registry is made of. */
import type { Logger } from './common/logger.ts'
import type { Limits } from './protocol/limits.ts'
import type { Provider } from './provider/provider.ts'
import type { Store } from './store/store.ts'

export interface RegistryOptions {
  store: Store
  providers: Record<string, Provider>
  /** The provider of messages and sessions that name none; null: they must. */
  defaultProvider: string | null
  /** Whether a message creates a session that does not exist. */
  createOnMessage: boolean
  /** The longest that a run may take, in ms; 0 = as long as it wants. */
  runTimeoutMs: number
  /** How long runs may go on when the server closes, in ms. */
  closeGraceMs: number
  retention: {
    /** How long the transient events of a completed run are kept, in ms. */
    completedRunMs: number
    /** How many transient events a running run may have before the oldest are merged. */
    maxTransientEventsPerRun: number
    /** How long a session is kept in which nothing happens, in ms; 0 = for ever. */
    sessionMs: number
  }
  limits: Limits
  log: Logger
}
