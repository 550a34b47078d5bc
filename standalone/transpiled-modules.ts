/* Modules in TypeScript, as browsers take them. */
import { readFile, stat } from 'node:fs/promises'

// Files lie below the folder, and none that is hidden is meant.
const NAME = /^[\w-]+(\/[\w-]+)*\.ts$/

/** The modules of a folder in JavaScript; their imports still name `.ts` files. Each is transpiled again when its file has changed. */
export class TranspiledModules {
  readonly #folder: URL
  readonly #known = new Map<string, { changed: number, code: string }>()
  #stop: (() => Promise<void>) | null = null

  constructor (folder: URL) {
    this.#folder = folder
  }

  /** The code of a module by its path in the folder; null if there is none. Throws what is wrong with it. */
  async read (name: string): Promise<string | null> {
    if (!NAME.test(name)) return null
    const file = new URL(name, this.#folder)
    const changed = await stat(file).then(({ mtimeMs }) => mtimeMs, () => null)
    if (changed === null) return null
    const known = this.#known.get(name)
    if (known?.changed === changed) return known.code
    // It is there only beside the sources.
    const { stop, transform } = await import('esbuild')
    this.#stop = stop
    const { code } = await transform(await readFile(file, 'utf8'), { loader: 'ts', format: 'esm', target: 'es2022', sourcefile: name, sourcemap: 'inline' })
    this.#known.set(name, { changed, code })
    return code
  }

  /** Ends the process that transpiles. */
  async close (): Promise<void> {
    await this.#stop?.()
  }
}
