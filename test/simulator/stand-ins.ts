/* Puts a loop's clock, timers and chance in the place of Node's, for all code of this process, and takes them out again. */
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import promises from 'node:timers/promises'
import { type Handle, type Loop } from './loop.ts'
import type { Prng } from './prng.ts'

type Callback = (...args: unknown[]) => void

/** Everything that is replaced, until the answered function is called. One at a time per process. */
export function standIn (loop: Loop, prng: Prng): () => void {
  const restore: Array<() => void> = []
  const replace = (target: object, name: string, value: unknown): void => {
    const before = Object.getOwnPropertyDescriptor(target, name)
    Object.defineProperty(target, name, { configurable: true, writable: true, enumerable: before?.enumerable ?? true, value })
    restore.push(() => {
      if (before === undefined) Reflect.deleteProperty(target, name)
      else Object.defineProperty(target, name, before)
    })
  }
  const globals = {
    setTimeout: (callback: Callback, ms?: number, ...args: unknown[]) => loop.setTimer(() => callback(...args), ms, false),
    setInterval: (callback: Callback, ms?: number, ...args: unknown[]) => loop.setTimer(() => callback(...args), ms, true),
    setImmediate: (callback: Callback, ...args: unknown[]) => loop.setImmediate(() => callback(...args)),
    clearTimeout: (handle: unknown) => loop.clear(handle),
    clearInterval: (handle: unknown) => loop.clear(handle),
    clearImmediate: (handle: unknown) => loop.clear(handle),
    Date: dateOf(loop)
  }
  for (const [name, value] of Object.entries(globals)) replace(globalThis, name, value)
  replace(performance, 'now', () => loop.now - loop.started)
  replace(Math, 'random', () => prng.next())
  let ids = 0
  replace(crypto, 'randomUUID', () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`)
  replace(promises, 'setTimeout', (ms?: number, value?: unknown, options?: Options) => wait((done) => loop.setTimer(done, ms, false), loop, value, options))
  replace(promises, 'setImmediate', (value?: unknown, options?: Options) => wait((done) => loop.setImmediate(done), loop, value, options))
  // Named imports of builtins are views of their modules' properties.
  syncBuiltinESMExports()
  return () => {
    for (const undo of restore.reverse()) undo()
    syncBuiltinESMExports()
  }
}

interface Options {
  signal?: AbortSignal
}

function wait (start: (done: () => void) => Handle, loop: Loop, value: unknown, { signal }: Options = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      loop.clear(handle)
      reject(Object.assign(new Error('The operation was aborted', { cause: signal!.reason }), { name: 'AbortError', code: 'ABORT_ERR' }))
    }
    const handle = start(() => {
      signal?.removeEventListener('abort', abort)
      resolve(value)
    })
    if (signal?.aborted === true) abort()
    else signal?.addEventListener('abort', abort, { once: true })
  })
}

function dateOf (loop: Loop): DateConstructor {
  return class extends Date {
    constructor (...args: unknown[]) {
      if (args.length === 0) super(loop.now)
      else super(...args as [number])
    }

    static override now (): number {
      return loop.now
    }
  } as unknown as DateConstructor
}
