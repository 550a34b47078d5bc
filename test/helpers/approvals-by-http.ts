/* Approvals as a client with HTTP sees and answers them. */
import type { Event, EventOf } from '../../index.ts'
import { postJson, SseClient } from './read-sse.ts'

export const answerByHttp = (url: string, requestId: string, allow: boolean) => postJson(`${url}/sessions/s/permissions/${requestId}`, { allow })

/** The log of a session as a client gets it. */
export async function logAt (url: string): Promise<Event[]> {
  return (await (await fetch(`${url}/sessions/s/events`)).json() as { events: Event[] }).events
}

export async function untilAsked (url: string, count = 1): Promise<string> {
  const client = await SseClient.open(`${url}/sessions/s/stream`)
  const requests = (): Event[] => client.events.filter(({ kind }) => kind === 'permission_request')
  await client.until(() => requests().length >= count)
  client.cut()
  return (requests()[count - 1] as EventOf<'permission_request'>).requestId
}
