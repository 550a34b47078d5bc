/* Over what sessions are followed: Server-Sent Events, or one WebSocket for all. */
import { createClient } from 'fastify-agent-runs-client'
import { element } from './element.js'
import { recall, remember } from './memory.js'
import { apiUrl, settings } from './settings.js'

const KEY = 'agent-runs-transport'
const NAMES = { sse: 'SSE', websocket: 'WebSocket' }

export class Transports {
  /** Each made when it is wanted for the first time. */
  #clients = new Map()
  #current
  /** Where one chooses; nothing, if the server has no WebSocket. */
  node

  /** @param {() => void} changed called after somebody has chosen */
  constructor (changed) {
    this.#current = settings.websocket ? recall(KEY, Object.keys(NAMES)) ?? 'sse' : 'sse'
    this.node = element('select', {
      class: 'transport',
      'aria-label': 'Transport',
      title: 'Server-Sent Events: one connection for each page. WebSocket: the same over another wire',
      onchange: () => {
        this.#current = this.node.value
        remember(KEY, this.#current)
        changed()
      }
    }, ...Object.entries(NAMES).map(([value, name]) => element('option', { value, selected: value === this.#current }, name)))
    this.node.hidden = !settings.websocket
  }

  /** The client that is to follow. */
  get client () {
    const transport = this.#current
    if (!this.#clients.has(transport)) this.#clients.set(transport, createClient(apiUrl, { transport }))
    return this.#clients.get(transport)
  }
}
