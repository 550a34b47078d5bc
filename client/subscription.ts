/* A session that is followed for somebody who is called. */
import { RunsClientError } from './errors.ts'
import type { FollowingOptions } from './following.ts'
import { LinkedAbort } from './linked-abort.ts'
import type { ConnectionState, SubscriptionOptions } from './options.ts'
import type { StreamItem } from './stream-item.ts'

export interface Subscription {
  /** The seq up to which the caller was given everything: where to follow from, later. */
  readonly cursor: number
  readonly state: ConnectionState
  /** Nothing is given on any more. Idempotent. */
  close (): void
  /** Connects anew at once, from the cursor: the connection may be dead, or the next try far away. Browsers need not: it happens when the page is shown or online again. */
  reconnect (): void
  /**
   * Resolves when it has ended as it should: closed, `until`, or with its session. Rejects with the RunsClientError that ended
   * it, which `onState` is told too, or with what the caller's own function threw.
   */
  readonly closed: Promise<void>
}

/** Follows by what `follow` makes of the options, and hands each item to `onItem`. */
export function subscribeTo<O extends SubscriptionOptions> (follow: (options: O & Pick<FollowingOptions, 'control'>) => AsyncIterable<StreamItem>, onItem: (item: StreamItem) => void, options: O): Subscription {
  return new CallingSubscription(follow, onItem, options)
}

class CallingSubscription<O extends SubscriptionOptions> implements Subscription {
  readonly closed: Promise<void>
  readonly #stop: LinkedAbort
  #cursor: number
  #state: ConnectionState = { status: 'connecting', attempt: 0 }
  #reconnect = (): void => {}

  constructor (follow: (options: O & Pick<FollowingOptions, 'control'>) => AsyncIterable<StreamItem>, onItem: (item: StreamItem) => void, options: O) {
    const { cursor, signal, onState } = options
    this.#cursor = typeof cursor === 'number' ? cursor : 0
    this.#stop = new LinkedAbort(signal)
    const tell = (state: ConnectionState): void => {
      this.#state = state
      onState?.(state)
    }
    this.closed = this.#run(follow({ ...options, signal: this.#stop.signal, onState: tell, control: (reconnect) => { this.#reconnect = reconnect } }), onItem, onState !== undefined)
  }

  get cursor (): number {
    return this.#cursor
  }

  get state (): ConnectionState {
    return this.#state
  }

  close (): void {
    this.#stop.abort()
  }

  reconnect (): void {
    this.#reconnect()
  }

  async #run (items: AsyncIterable<StreamItem>, onItem: (item: StreamItem) => void, isTold: boolean): Promise<void> {
    try {
      for await (const item of items) {
        if (this.#stop.signal.aborted) return
        if ('seq' in item) this.#cursor = item.seq
        else if (item.kind === 'chat_subscribed') this.#cursor = Math.max(this.#cursor, item.cursor)
        else if (item.kind === 'gap' && item.reason !== 'compacted') this.#cursor = 0
        onItem(item)
      }
    } catch (error) {
      // It was told as a state already: nobody has to hear it twice.
      if (isTold && error instanceof RunsClientError) this.closed.catch(() => {})
      throw error
    } finally {
      this.#stop.unlink()
    }
  }
}
