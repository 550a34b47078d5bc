/* Reasoning that a model writes into its text, between `<think>` and `</think>` or their like at the beginning. */

const TAGS = ['think', 'thinking', 'thought']
const OPENING = /^\s*<(?:think|thinking|thought)>\s*/i
const CLOSING = /\s*<\/(?:think|thinking|thought)>\s*/i

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
    if (this.#state === 'after') return { thought: '', text: piece }
    let rest = this.#held + piece
    this.#held = ''
    if (this.#state === 'before') {
      const opening = OPENING.exec(rest)
      if (opening === null) {
        if (isStart(rest.trimStart(), '<')) this.#held = rest
        else this.#state = 'after'
        return { thought: '', text: this.#state === 'after' ? rest : '' }
      }
      this.#state = 'thinking'
      rest = rest.slice(opening[0].length)
    }
    const closing = CLOSING.exec(rest)
    if (closing === null) {
      const end = heldFrom(rest)
      this.#held = rest.slice(end)
      return { thought: rest.slice(0, end), text: '' }
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

/** Whether a text may become one of the tags. */
function isStart (text: string, bracket: '<' | '</'): boolean {
  return TAGS.some((tag) => `${bracket}${tag}>`.startsWith(text.toLowerCase()))
}

/** From where on a thought may be a closing tag, or the space before it. */
function heldFrom (thought: string): number {
  const last = thought.lastIndexOf('<')
  const end = last !== -1 && isStart(thought.slice(last), '</') ? last : thought.length
  return thought.slice(0, end).trimEnd().length
}
