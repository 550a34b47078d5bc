/* The other end of `Child`: how a process of bench/processes answers. */

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- what may be called with anything, so that each answer may say what it takes
export type Answers = Record<string, (...input: any[]) => unknown>

export interface Question {
  id: number
  name: string
  input: unknown[]
}

export interface Reply {
  id: number
  output?: unknown
  error?: string
}

/** Answers what the parent asks from now on; ends with the parent. */
export function answer (answers: Answers): void {
  process.on('message', ({ id, name, input }: Question) => {
    const send = (reply: Reply): void => { process.send!(reply) }
    void Promise.resolve().then(() => answers[name]!(...input)).then(
      (output) => send({ id, output }),
      (error: unknown) => send({ id, error: error instanceof Error ? error.stack ?? error.message : String(error) })
    )
  })
  process.on('disconnect', () => process.exit(0))
}
