/* What somebody who follows a session was given, in short. */
import type { ConnectionState, StreamItem } from '../../client/index.ts'

/** An item as its kind, or as its seq if it has one. */
export function shortly (item: StreamItem): string | number {
  if ('seq' in item) return item.seq
  return item.kind === 'gap' ? `gap ${item.reason}` : item.kind
}

/** Takes so many items. */
export async function take (items: AsyncGenerator<StreamItem>, count: number): Promise<Array<string | number>> {
  const taken: Array<string | number> = []
  while (taken.length < count) {
    const { done, value } = await items.next()
    if (done === true) return [...taken, 'END']
    taken.push(shortly(value))
  }
  return taken
}

/** Takes all, to the end. */
export async function takeAll (items: AsyncIterable<StreamItem>): Promise<Array<string | number>> {
  const taken: Array<string | number> = []
  for await (const item of items) taken.push(shortly(item))
  return taken
}

/** A state in a few words: how long it waits is left out. */
export function stateShortly (state: ConnectionState): string {
  switch (state.status) {
    case 'connecting': return `connecting ${state.attempt}`
    case 'replaying': return `replaying ${state.cursor}/${state.lastSeq}`
    case 'live': return 'live'
    case 'waiting': return `waiting ${state.attempt} ${state.error.code}`
    case 'closed': return `closed ${state.error?.code ?? 'well'}`
  }
}
