/*
 * The file of `--tokens`. It is read again when it changes. What counts is the content under the path, so a file that is
 * replaced, a symbolic link that is turned and a mount are all the same.
 */
import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import type { FastifyBaseLogger } from 'fastify'
import { UsageError } from './flags.ts'
import { parseTokens, type TokenIdentity, Tokens } from './tokens.ts'

/** How long a change may go unnoticed, in ms. */
const LOOK_MS = 1_000

export class TokensFile {
  readonly #path: string
  readonly #log: FastifyBaseLogger
  #tokens = new Tokens(new Map())
  /** What was found at the last look: the hash of the content, or why there was none. */
  #found: string | null = null
  /** The look that is under way: a later one waits, so that the newest content holds. */
  #looking: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #closed = false

  private constructor (path: string, log: FastifyBaseLogger) {
    this.#path = path
    this.#log = log
  }

  /** Reads the file. Rejects with UsageError, which says what is wrong but never what a token is. */
  static async open (path: string, log: FastifyBaseLogger): Promise<TokensFile> {
    const file = new TokensFile(path, log)
    await file.#look()
    return file
  }

  /** See `Tokens`. */
  identify (token: string): TokenIdentity | null {
    return this.#tokens.identify(token)
  }

  /** Looks for changes from now on, until `close`. */
  async watch (): Promise<void> {
    // What comes through a pipe cannot be read twice.
    const isReadAgain = await stat(this.#path).then((found) => found.isFile(), () => true)
    if (isReadAgain) this.#lookLater()
  }

  /** Resolves when what is in the file now holds. If that is nothing valid, what held before still does, and the log says why. */
  reload (): Promise<void> {
    this.#looking = this.#looking.then(async () => {
      try {
        if (await this.#look()) this.#log.info({ tokens: this.#tokens.size }, 'the tokens were read again')
      } catch (error) {
        this.#log.error(`${(error as Error).message} The tokens from before the change stay in force.`)
      }
    })
    return this.#looking
  }

  close (): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }

  #lookLater (): void {
    if (this.#closed) return
    this.#timer = setTimeout(() => { void this.reload().then(() => this.#lookLater()) }, LOOK_MS).unref()
  }

  /** Whether the file has changed; then its tokens hold. Rejects with UsageError, once for each change. */
  async #look (): Promise<boolean> {
    const { text, found } = await readFile(this.#path, 'utf8').then(
      (text) => ({ text, found: createHash('sha256').update(text).digest('base64') }),
      (error: unknown) => ({ text: null, found: (error as NodeJS.ErrnoException).code ?? 'unknown' })
    )
    if (found === this.#found) return false
    this.#found = found
    try {
      if (text === null) throw new UsageError(`the file cannot be read (${found}).`)
      const tokens = parseTokens(text)
      tokens.replace(this.#tokens)
      this.#tokens = tokens
      return true
    } catch (error) {
      throw new UsageError(`--tokens is "${this.#path}": ${(error as Error).message}`)
    }
  }
}
