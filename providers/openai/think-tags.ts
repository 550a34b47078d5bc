/* Reasoning that a model writes into its text, between `<think>` and `</think>` at the beginning. */

const OPENING = /^\s*<think(?:ing)?>\s*/
const CLOSING = /\s*<\/think(?:ing)?>\s*/
/** What may be the start of a tag still. */
const OPENING_START = /^\s*(<(t(h(i(n(k(i(n(g)?)?)?)?)?)?)?)?)?$/
const CLOSING_START = /\s*(<(\/(t(h(i(n(k(i(n(g)?)?)?)?)?)?)?)?)?)?$/

export interface Said {
  thought: string
  text: string
}

/** Parts the pieces of one answer's text. */
export class ThinkTags {
  #state: 'before' | 'thinking' | 'after' = 'before'
  /** What may be a part of a tag. */
  #held = ''

  take (piece: string): Said {
    const said: Said = { thought: '', text: '' }
    if (this.#state === 'after' && this.#held === '') return { thought: '', text: piece }
    let rest = this.#held + piece
    this.#held = ''
    if (this.#state === 'before') {
      const opening = OPENING.exec(rest)
      if (opening === null) {
        if (OPENING_START.test(rest)) this.#held = rest
        else {
          this.#state = 'after'
          said.text = rest
        }
        return said
      }
      this.#state = 'thinking'
      rest = rest.slice(opening[0].length)
    }
    const closing = CLOSING.exec(rest)
    if (closing === null) {
      const end = CLOSING_START.exec(rest)!.index
      this.#held = rest.slice(end)
      said.thought = rest.slice(0, end)
      return said
    }
    this.#state = 'after'
    return { thought: rest.slice(0, closing.index), text: rest.slice(closing.index + closing[0].length) }
  }

  /** What was held, when the answer is over. */
  end (): Said {
    const held = this.#held
    this.#held = ''
    return this.#state === 'thinking' ? { thought: held, text: '' } : { thought: '', text: held }
  }
}
