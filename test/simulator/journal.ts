/* What happened in a schedule, line by line, and which promises were broken. */
import type { Loop } from './loop.ts'

export interface Violation {
  /** What should have held; see the README. */
  rule: string
  what: string
}

export class Journal {
  readonly lines: string[] = []
  readonly violations: Violation[] = []
  readonly #loop: Loop

  constructor (loop: Loop) {
    this.#loop = loop
  }

  note (line: string): void {
    this.lines.push(`${this.#loop.now - this.#loop.started} ${line}`)
  }

  violation (rule: string, what: string): void {
    this.note(`VIOLATION ${rule}: ${what}`)
    this.violations.push({ rule, what })
  }
}
