/* All WebSockets of one plugin: one clock for all, and one end. */
import type { WebSocket } from 'ws'
import { atMost } from '../../lib/common/at-most.ts'
import { Quota } from '../../lib/common/quota.ts'
import { runsError } from '../../lib/protocol/errors.ts'
import type { RunRegistry } from '../../lib/registry.ts'
import { SocketConnection, type SocketOptions, type SocketRequester } from './connection.ts'

export class SocketConnections {
  readonly #runs: RunRegistry
  readonly #options: SocketOptions
  readonly #open = new Set<SocketConnection>()
  readonly #quota: Quota
  #heartbeat: NodeJS.Timeout | null = null
  #closing = false
  #onEmpty: () => void = () => {}

  constructor (runs: RunRegistry, options: SocketOptions) {
    this.#runs = runs
    this.#options = options
    this.#quota = new Quota(options.limits.socketsPerOwner)
  }

  /** Throws TOO_MANY_SOCKETS. */
  assertRoom (owner: string): void {
    if (this.#open.size >= this.#options.limits.sockets) throw runsError('TOO_MANY_SOCKETS', ['server'])
    if (!this.#quota.has(owner)) throw runsError('TOO_MANY_SOCKETS', ['owner'])
  }

  /** Serves a WebSocket whose handshake is done, for as long as it and the identity of who opened it last. */
  open (socket: WebSocket, requester: SocketRequester): void {
    const connection = new SocketConnection(socket, this.#runs, requester, this.#options, () => this.#forget(connection, requester.owner))
    this.#quota.take(requester.owner)
    this.#open.add(connection)
    // As often as streams look whether their time is over.
    this.#heartbeat ??= setInterval(() => {
      for (const each of this.#open) each.beat()
    }, this.#options.heartbeatMs / 2)
    // Its handshake was under way: nobody would wait for its end.
    if (this.#closing) connection.restart()
  }

  /** Waits until every socket has written what its sessions had left, for at most `deadlineMs`; then says goodbye, and cuts who does not answer for `goodbyeMs`. */
  async close (deadlineMs: number, goodbyeMs: number): Promise<void> {
    this.#closing = true
    const empty = new Promise<void>((resolve) => { this.#onEmpty = resolve })
    for (const connection of this.#open) connection.finish()
    if (this.#open.size > 0) await atMost(deadlineMs, empty)
    for (const connection of this.#open) connection.restart()
    if (this.#open.size > 0) await atMost(goodbyeMs, empty)
    for (const connection of this.#open) connection.terminate()
  }

  #forget (connection: SocketConnection, owner: string): void {
    this.#open.delete(connection)
    this.#quota.giveBack(owner)
    if (this.#open.size > 0) return
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat)
    this.#heartbeat = null
    this.#onEmpty()
  }
}
