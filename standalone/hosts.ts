/*
 * The names that the server answers to. A page of evil.example whose name comes to point at this machine (DNS rebinding) is
 * of our origin to the browser, but its requests still name evil.example as their host.
 */
import { isIPv6 } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { runsError } from '../lib/protocol/errors.ts'

const ANY = '*'
const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/
/** To listen on; under them nobody calls us but who was misled. */
const EVERY_ADDRESS = new Set(['0.0.0.0', '[::]', ''])

/** Names in a list with commas, as they are compared. Throws at what is no name. */
export function readHosts (list: string): string[] {
  return list.split(',').map((each) => {
    const name = normalised(each.trim())
    if (!/^(\*|[\w-]+(\.[\w-]+)*|\[[0-9a-f:.]+\])$/.test(name)) throw new Error('it must be names with commas between them, without ports, or *.')
    return name
  })
}

/** Whether to listen there is to listen on all addresses. */
export function isEveryAddress (listening: string): boolean {
  return EVERY_ADDRESS.has(normalised(listening))
}

/** Whether a name can only mean the machine on which it is used. */
export function isThisMachine (name: string): boolean {
  return LOOPBACK.test(normalised(name))
}

/**
 * Refuses requests under any other name than `allowed`, that at which we are `listening`, and those of this machine, with
 * HOST_NOT_ALLOWED. To be called before anything else is added to the app.
 */
export function allowHosts (app: FastifyInstance, listening: string, allowed: string[]): void {
  const names = new Set(isEveryAddress(listening) ? allowed : [...allowed, normalised(listening)])
  if (names.has(ANY)) return
  app.addHook('onRequest', async ({ headers: { host = '' } }) => {
    const [, name] = /^(\[[^\]]*\]|[^:]*)(?::\d*)?$/.exec(host) ?? []
    if (name === undefined || !(names.has(normalised(name)) || isThisMachine(name))) throw runsError('HOST_NOT_ALLOWED', [host])
  })
}

/** One form for each name: small, without the dot that may end it, IPv6 in brackets. */
function normalised (name: string): string {
  return isIPv6(name) ? `[${name.toLowerCase()}]` : name.toLowerCase().replace(/\.$/, '')
}
