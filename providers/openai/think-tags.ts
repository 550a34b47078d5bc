/* Reasoning that a model writes into its text, between `<think>` and `</think>` or their like at the beginning. */

const TAGS = ['think', 'thinking', 'thought']
const OPENING = /^\s*<(?:think|thinking|thought)>\s*/i
const CLOSING = /<\/(?:think|thinking|thought)>/i
/** What may be a tag is held; before one there may be so much space, in characters. */
const MAX_HELD = 64

export interface Said {
  thought: string
  text: string
}

/** Parts the pieces of one answer's text. */
export class ThinkTags {
  /** `closed`: only space has come behind the tag. */
  #state: 'before' | 'thinking' | 'closed' | 'after' = 'before'
  /** What may be a part of a tag. */
  #held = ''

  take (piece: string): Said {
    switch (this.#state) {
      case 'before':
        return this.#begin(this.#held + piece)
      case 'thinking':
        return this.#think(this.#held + piece)
      case 'closed':
        return { thought: '', text: this.#begun(piece) }
      case 'after':
        return { thought: '', text: piece }
    }
  }

  /** What was held, when the answer is over. */
  end (): Said {
    const held = this.#held
    this.#held = ''
    return this.#state === 'thinking' ? { thought: held, text: '' } : { thought: '', text: held }
  }

  #begin (said: string): Said {
    this.#held = ''
    const opening = OPENING.exec(said)
    if (opening !== null) {
      this.#state = 'thinking'
      return this.#think(said.slice(opening[0].length))
    }
    if (said.length <= MAX_HELD && isStart(said.trimStart(), '<')) {
      this.#held = said
      return { thought: '', text: '' }
    }
    this.#state = 'after'
    return { thought: '', text: said }
  }

  #think (said: string): Said {
    this.#held = ''
    const closing = CLOSING.exec(said)
    if (closing !== null) {
      this.#state = 'closed'
      return { thought: said.slice(0, closing.index), text: this.#begun(said.slice(closing.index + closing[0].length)) }
    }
    const last = said.lastIndexOf('<')
    const end = last !== -1 && isStart(said.slice(last), '</') ? last : said.length
    this.#held = said.slice(end)
    return { thought: said.slice(0, end), text: '' }
  }

  /** The text without the space before it. */
  #begun (piece: string): string {
    const text = piece.trimStart()
    if (text !== '') this.#state = 'after'
    return text
  }
}

/** Whether a text may become one of the tags. */
function isStart (text: string, bracket: '<' | '</'): boolean {
  return TAGS.some((tag) => `${bracket}${tag}>`.startsWith(text.toLowerCase()))
}
