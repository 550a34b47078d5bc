/* An app with the WebSocket, listening, that keeps what it logs from `warn` on; and peers on bare TCP. */
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import type { Test } from 'tap'
import agentRuns, { type AgentRunsOptions } from '../../index.ts'
import { type HandshakeOptions, RawSocket } from './raw-socket.ts'
import { type ScriptedProvider, scriptedProvider } from './scripted-provider.ts'

export interface SocketServer {
  app: FastifyInstance
  agent: ScriptedProvider
  url: string
  /** Lines of the log from `warn` on, as level and message. */
  log: Array<{ level: number, msg: string }>
  /** A peer, whose handshake was answered. It leaves with the test. */
  peer: (options?: HandshakeOptions) => Promise<RawSocket>
  /** The same as that user. */
  peerOf: (user: string, options?: HandshakeOptions) => Promise<RawSocket>
  /** How many connections there are, WebSockets too. */
  connections: () => Promise<number>
}

/** Who a request says it is; for `identify`. */
export const byHeader = ({ headers }: FastifyRequest): string | undefined => headers['x-user'] as string | undefined

export async function serveSockets (t: Test, options: Partial<AgentRunsOptions> = {}): Promise<SocketServer> {
  const agent = scriptedProvider()
  const log: SocketServer['log'] = []
  const app = Fastify({ logger: { level: 'warn', stream: { write: (line: string) => { log.push(JSON.parse(line) as SocketServer['log'][number]) } } }, forceCloseConnections: true })
  const peers: RawSocket[] = []
  t.teardown(async () => {
    for (const peer of peers) peer.cut()
    await app.close()
  })
  await app.register(agentRuns, { providers: { agent }, store: ':memory:', closeGraceMs: 0, ...options })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const peer = async (handshake: HandshakeOptions = {}): Promise<RawSocket> => {
    const opened = await RawSocket.open(url, handshake)
    peers.push(opened)
    return opened
  }
  return {
    app,
    agent,
    url,
    log,
    peer,
    peerOf: (user, { headers, ...handshake } = {}) => peer({ ...handshake, headers: { ...headers, 'x-user': user } }),
    connections: () => new Promise((resolve, reject) => {
      app.server.getConnections((error, count) => error === null ? resolve(count) : reject(error))
    })
  }
}

/** Looks again and again, until it holds. */
export async function eventually (holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!await holds()) await new Promise((resolve) => { setImmediate(resolve) })
}
