/* One stream over Server-Sent Events, by its URL. */
import type { FollowOptions } from './options.ts'
import type { StreamItem } from './stream-item.ts'
import type { Subscription } from './subscription.ts'

/**
 * Everything of a session after a cursor, each event once and in order, for as long as the caller takes: lost connections
 * come back by themselves.
 */
export function follow (url: string | URL, options: FollowOptions = {}): AsyncGenerator<StreamItem> {
  throw new Error(`not yet: ${String(url)} ${String(options.cursor)}`)
}

/** The same, handed to a function. */
export function subscribe (url: string | URL, onItem: (item: StreamItem) => void, options: FollowOptions = {}): Subscription {
  throw new Error(`not yet: ${String(url)} ${String(onItem)} ${String(options.cursor)}`)
}
