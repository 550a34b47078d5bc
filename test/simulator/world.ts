/* What everything in one schedule shares. */
import type { Store } from '../../lib/store/store.ts'
import type { Database } from './database.ts'
import type { Journal } from './journal.ts'
import type { Ledger } from './ledger.ts'
import type { Loop } from './loop.ts'
import type { Prng } from './prng.ts'
import type { Script } from './script.ts'
import type { Setting } from './setting.ts'
import type { Weather } from './weather.ts'

export interface World {
  readonly prng: Prng
  readonly loop: Loop
  readonly journal: Journal
  readonly setting: Setting
  readonly weather: Weather
  readonly ledger: Ledger
  readonly database: Database
  /** Breaks a store, for tests of the simulator. */
  readonly sabotage: (store: Store) => Store
  /** What the agents were to do, by run. */
  readonly performances: Map<string, Script>
  /** Agents that hang, or ignore that they were stopped, come to an end from now on. */
  winding: boolean
}
