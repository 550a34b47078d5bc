/* How soon a message is answered by an idle server: from its POST to the first word at somebody who follows. */
import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { compare, type Report, type Round, type Settings } from '../measure/comparison.ts'
import { type FigureSpec, value } from '../measure/figure.ts'
import { SkimmingReader } from '../readers/skimming-reader.ts'
import { withServers } from '../servers.ts'

/** Between two messages the server has nothing to do. */
const REST_MS = 2

const FIGURES: Record<string, FigureSpec> = {
  p50: { unit: 'ms', goal: value('<=', 1.2) },
  p99: { unit: 'ms', goal: value('<=', 3) }
}

interface Talk {
  port: number
  stream: string
  post: string
  /** How many events come of a message; the second is the first word. */
  eventsPerMessage: number
}

export async function latency ({ quick }: Settings, report: Report): Promise<void> {
  const { rounds, messages } = quick ? { rounds: 1, messages: 20 } : { rounds: 7, messages: 300 }
  await withServers(async ({ ours, bare }) => {
    let sessions = 0
    // The bare server counts on from round to round.
    let said = 0
    const lines = await compare({
      bench: 'latency',
      what: `${messages} messages to an idle server, one by one`,
      rounds,
      figures: FIGURES,
      complete: `all of ${messages} answered`,
      sides: {
        ours: async () => {
          const session = `session-${sessions++}`
          await ours.child.ask('createSessions', [session])
          // The message, the word, the whole text, and the end.
          return talk({ port: ours.port, stream: `/sessions/${session}/stream`, post: `/sessions/${session}/messages`, eventsPerMessage: 4 }, messages, 0)
        },
        bare: async () => {
          const round = await talk({ port: bare.port, stream: '/', post: '/', eventsPerMessage: 2 }, messages, said)
          said += 2 * messages
          return round
        }
      }
    })
    lines.forEach(report)
  })
}

/** Sends messages to somebody who has read up to `after`, each when all that came of the last has come. */
async function talk ({ port, stream, post, eventsPerMessage }: Talk, messages: number, after: number): Promise<Round> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const reader = await SkimmingReader.open(port, stream, { after })
  const took: number[] = []
  for (let message = 0; message < messages; message++) {
    const before = after + message * eventsPerMessage
    const start = performance.now()
    const answered = send(agent, port, post)
    await reader.reached(before + 2)
    took.push(performance.now() - start)
    await answered
    await reader.reached(before + eventsPerMessage)
    if (reader.fault !== null) break
    await delay(REST_MS)
  }
  const last = after + messages * eventsPerMessage
  const fault = reader.fault ?? (reader.seq === last ? null : `the last event was ${reader.seq}, not ${last}`)
  reader.close()
  agent.destroy()
  took.sort((a, b) => a - b)
  return { figures: { p50: took[Math.floor(took.length * 0.5)]!, p99: took[Math.floor(took.length * 0.99)]! }, fault }
}

/** Resolves when the answer has come; rejects unless the message was accepted. */
function send (agent: Agent, port: number, path: string): Promise<void> {
  const body = JSON.stringify({ content: 'What do you say?', provider: 'word' })
  return new Promise((resolve, reject) => {
    request({ agent, port, path, host: '127.0.0.1', method: 'POST', headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } }, (response) => {
      response.resume().on('end', () => response.statusCode! < 300 ? resolve() : reject(new Error(`the message was answered by ${response.statusCode}`)))
    }).on('error', reject).end(body)
  })
}
