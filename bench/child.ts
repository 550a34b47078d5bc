/* A process of its own for each side, so that the CPU and the heap that it reports are its alone. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Answers, Question, Reply } from './answer.ts'

/** A process of bench/processes, asked by the names of its answers. */
export class Child<A extends Answers> {
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, { resolve: (output: unknown) => void, reject: (error: Error) => void }>()
  #asked = 0

  private constructor (process: ChildProcess) {
    this.#process = process
    process.on('message', ({ id, output, error }: Reply) => {
      const waiter = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) waiter?.resolve(output)
      else waiter?.reject(new Error(error))
    })
    process.on('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`a process of the bench ended: ${code ?? signal}`))
    })
  }

  /** Starts a module of bench/processes, compiled if this one is. */
  static start<A extends Answers> (name: string, args: string[] = []): Child<A> {
    const path = fileURLToPath(new URL(`processes/${name}${extname(import.meta.url)}`, import.meta.url))
    return new Child<A>(fork(path, args))
  }

  /** Resolves with the answer; waits for the process to have started. */
  ask<Name extends keyof A & string> (name: Name, ...input: Parameters<A[Name]>): Promise<Awaited<ReturnType<A[Name]>>> {
    const id = this.#asked++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (output: unknown) => void, reject })
      const question: Question = { id, name, input }
      this.#process.send(question, (error) => { if (error !== null) reject(error) })
    })
  }

  /** Ends the process by an ordinary exit: with `--cpu-prof` it writes its profile then. */
  async stop (): Promise<void> {
    if (!this.#process.connected) return
    this.#process.disconnect()
    await once(this.#process, 'exit')
  }
}
