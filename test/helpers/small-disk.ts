/* A disk of a few megabytes that a test can fill, free and make read-only; only root can mount one. */
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { tempDir } from './temp-dir.ts'

/** Why there can be no small disk here, or false: as tap's `skip` wants it. */
export function noSmallDisk (): string | false {
  return process.platform === 'linux' && process.getuid?.() === 0 ? false : 'mounting a tmpfs needs root on Linux'
}

export class SmallDisk {
  readonly path: string
  readonly #filler: string

  constructor (t: Test, megabytes: number) {
    this.path = tempDir(t)
    this.#filler = join(this.path, 'filler')
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', this.path])
    t.teardown(() => execFileSync('umount', ['-l', this.path]))
  }

  /** Leaves not a byte. */
  fill (): void {
    const file = openSync(this.#filler, 'a')
    try {
      for (let size = 65_536; size >= 1;) {
        try {
          writeSync(file, Buffer.alloc(size))
        } catch {
          size = Math.floor(size / 2)
        }
      }
    } finally {
      closeSync(file)
    }
  }

  free (): void {
    rmSync(this.#filler)
  }

  /** Makes it read-only, or writable again. Only while no file is open for writing. */
  remount (mode: 'ro' | 'rw'): void {
    execFileSync('mount', ['-o', `remount,${mode}`, this.path])
  }
}
