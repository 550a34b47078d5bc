/* One stream over Server-Sent Events, by its URL. */
import { assertOptions } from './assert-options.ts'
import { eventStream } from './event-stream.ts'
import { followLog } from './following.ts'
import type { FollowOptions } from './options.ts'
import { resolvedUrl } from './resolved-url.ts'
import type { StreamItem } from './stream-item.ts'
import { subscribeTo, type Subscription } from './subscription.ts'

/**
 * Everything of a session after a cursor, each event once and in order; `url` is that of its stream. Connections that are lost
 * are made anew. No more is read than is taken. Leaving the loop, or `signal`, closes the connection. Throws RunsClientError
 * when there is no use in coming back, and TypeError, at once, at a URL that is none, and at options that cannot be.
 */
export function follow (url: string | URL, options: FollowOptions = {}): AsyncGenerator<StreamItem> {
  const target = resolvedUrl(url)
  assertOptions(options)
  return followLog((attempt) => eventStream(target, options, attempt), options)
}

/** The same for a function, which is called with each item. */
export function subscribe (url: string | URL, onItem: (item: StreamItem) => void, options: FollowOptions = {}): Subscription {
  return subscribeTo((all) => follow(url, all), onItem, options)
}
