/* How much one owner may have of something that this process has. */
import type { Owner } from '../protocol/session.ts'

export class Quota {
  readonly #limit: number
  readonly #taken = new Map<string, number>()

  /** `limit` is what each owner may have; 0 = as much as they want, and nothing is counted. */
  constructor (limit: number) {
    this.#limit = limit
  }

  /** Whether an owner may take so much more. The app itself always may. */
  has (owner: Owner, amount = 1): boolean {
    return this.#limit === 0 || owner === null || (this.#taken.get(owner) ?? 0) + amount <= this.#limit
  }

  /** Takes so much, to be given back once; false if the owner may not. */
  take (owner: Owner, amount = 1): boolean {
    if (!this.has(owner, amount)) return false
    this.#add(owner, amount)
    return true
  }

  giveBack (owner: Owner, amount = 1): void {
    this.#add(owner, -amount)
  }

  #add (owner: Owner, amount: number): void {
    if (this.#limit === 0 || owner === null) return
    const taken = (this.#taken.get(owner) ?? 0) + amount
    if (taken === 0) this.#taken.delete(owner)
    else this.#taken.set(owner, taken)
  }
}
