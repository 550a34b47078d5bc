/* A real child process that runs one of test/helpers/scripts, spoken to by lines. */
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

// Another transpiler's coverage of the same files would be merged line by wrong line.
const WITHOUT_COVERAGE = { _TAPJS_PROCESSINFO_COVERAGE_: '0' }

export class ScriptProcess {
  readonly process: ChildProcess
  readonly lines: string[] = []
  /** The exit code, or the signal that ended it. */
  readonly exited: Promise<number | string>
  #ended = false
  #waiting: Array<() => void> = []

  constructor (child: ChildProcess) {
    this.process = child
    this.exited = new Promise((resolve) => {
      child.on('close', (code, signal) => {
        this.#ended = true
        this.#notify()
        resolve(code ?? signal ?? 'unknown')
      })
    })
    createInterface({ input: child.stdout! }).on('line', (line) => {
      this.lines.push(line)
      this.#notify()
    })
  }

  /** The first line that starts so. */
  async line (start: string): Promise<string> {
    for (;;) {
      const found = this.lines.find((line) => line.startsWith(start))
      if (found !== undefined) return found
      if (this.#ended) throw new Error(`the process ended without "${start}": ${this.lines.join(' | ')}`)
      await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
    }
  }

  /** Resolves once there are so many lines. */
  async count (lines: number): Promise<void> {
    while (this.lines.length < lines) {
      if (this.#ended) throw new Error(`the process ended after ${this.lines.length} lines: ${this.lines.join(' | ')}`)
      await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
    }
  }

  send (line: string): void {
    this.process.stdin!.write(`${line}\n`)
  }

  async kill (signal: NodeJS.Signals): Promise<number | string> {
    this.process.kill(signal)
    return this.exited
  }

  #notify (): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

/** Runs test/helpers/scripts/<name>; killed with the test. */
export function spawnScript (t: Test, name: string, args: string[] = [], env: NodeJS.ProcessEnv = {}): ScriptProcess {
  return spawnModule(t, `test/helpers/scripts/${name}`, args, env)
}

/** Runs a module of the project, as `npm start` does. */
export function spawnModule (t: Test, path: string, args: string[] = [], env: NodeJS.ProcessEnv = {}): ScriptProcess {
  const child = spawn(process.execPath, ['--import', 'tsx', path, ...args], {
    cwd: ROOT, stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...WITHOUT_COVERAGE, ...env }
  })
  const script = new ScriptProcess(child)
  t.teardown(() => { child.kill('SIGKILL') })
  return script
}
