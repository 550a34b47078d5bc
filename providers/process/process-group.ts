/* A child process that leads its own group, so that all it started dies with it; also what has left the group. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { killStrays, strayMark } from './strays.ts'

/** The beginning and the end of standard error that are kept, in characters each: a run's error is cut at its own end, at twice as many. */
const STDERR_KEPT = 2_048
/** Behind this a program says where in its own code it failed, at any length. */
const BACKTRACE = /^\s*(Stack )?backtrace:/mi

// Above this, Node's timers fire at once.
const LONGEST_GRACE_MS = 2 ** 31 - 1

export class ProcessGroup {
  readonly child: ChildProcessWithoutNullStreams
  /**
   * The exit code, 128 + the number of the signal that killed it, once nothing of the command is left; rejects if it cannot be
   * started.
   */
  readonly exited: Promise<number>
  readonly #killGraceMs: number
  #stderrHead = ''
  #stderrTail = ''
  #killTimer: NodeJS.Timeout | undefined

  /** Starts the command. Throws what `spawn` throws: NUL characters in a text, arguments that are too long. */
  constructor (command: string, args: readonly string[], { cwd, env }: { cwd?: string | undefined, env: NodeJS.ProcessEnv }, killGraceMs: number) {
    this.#killGraceMs = killGraceMs
    const mark = strayMark()
    this.child = spawn(command, args, { cwd, env: { ...env, ...mark }, detached: true, stdio: ['pipe', 'pipe', 'pipe'] })
    this.exited = new Promise((resolve, reject) => {
      this.child.on('error', reject)
      this.child.on('exit', (code, signal) => {
        // Its children may hold the pipes open, and nobody is left to stop them.
        this.#signal('SIGKILL')
        clearTimeout(this.#killTimer)
        void killStrays(mark).then(() => resolve(code ?? 128 + constants.signals[signal!]))
      })
    })
    // A caller that does not wait must not get an unhandled rejection.
    this.exited.catch(() => {})
    // A command that does not read its input closes the pipe; and an error of any pipe that has no listener ends the server.
    for (const pipe of [this.child.stdin, this.child.stdout, this.child.stderr]) pipe.on('error', () => {})
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderrHead += text.slice(0, STDERR_KEPT - this.#stderrHead.length)
      this.#stderrTail = (this.#stderrTail + text).slice(-STDERR_KEPT)
    })
  }

  /** The end of what the command wrote to standard error; of one that adds a backtrace, what it wrote before that. */
  get stderrTail (): string {
    const head = this.#stderrHead
    const backtrace = head.search(BACKTRACE)
    return (backtrace === -1 ? this.#stderrTail : head.slice(0, backtrace)).trim()
  }

  /** Asks the whole group to end, and kills it after the grace; a later call may shorten the grace. */
  kill (graceMs = this.#killGraceMs): void {
    if (this.#over) return
    if (this.#killTimer === undefined) this.#signal('SIGTERM')
    clearTimeout(this.#killTimer)
    this.#killTimer = setTimeout(() => this.#signal('SIGKILL'), Math.min(LONGEST_GRACE_MS, graceMs))
  }

  get #over (): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null || this.child.pid === undefined
  }

  #signal (signal: NodeJS.Signals): void {
    if (this.child.pid === undefined) return
    try {
      process.kill(-this.child.pid, signal)
    } catch {
      // The group is gone already, or became another user's. Thrown from a timer or a listener, it would end the server.
    }
  }
}
