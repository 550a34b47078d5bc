/* Why a program cannot be started, in words that say what to do. */
import { statSync } from 'node:fs'
import { ProviderError } from '../../lib/provider/provider.ts'

/** What was to be started. */
interface Program {
  /** Without it the words are "The agent". */
  command?: string
  cwd: string | undefined
}

/** The failure that an error of `spawn` means; its exit code is 127, as a shell has it. */
export function startError ({ command, cwd }: Program, code: string, cause: unknown): ProviderError {
  return new ProviderError(`${command === undefined ? 'The agent' : `"${command}"`} cannot be started${reasonOf(cause, cwd)}.`, { code, exitCode: 127, cause })
}

/** Linux takes no more than 128 KiB for one argument; Windows 32 KiB for all. */
export function isTooLong (error: unknown): boolean {
  const code = codeOf(error)
  return code === 'E2BIG' || code === 'ENAMETOOLONG'
}

function reasonOf (cause: unknown, cwd: string | undefined): string {
  // The system says the same of a program and of a directory that are not there.
  if (cwd !== undefined && !isDirectory(cwd)) return `: its working directory "${cwd}" does not exist`
  if (isTooLong(cause)) return ': its arguments and environment are longer than the system takes'
  switch (codeOf(cause)) {
    case 'ENOENT':
      return ': there is no such program. Install it, or name it by its path'
    case 'EACCES':
      return ': the server may not execute it'
    case 'ENOEXEC':
      return ': the system cannot execute this file'
    default:
      return ''
  }
}

function codeOf (error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

function isDirectory (path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}
