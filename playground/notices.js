/* What went wrong or well, in words, in the corner of the page. */
import { button, element } from './element.js'

const SHOWN_MS = 6_000
const AT_ONCE = 4

export class Notices {
  #node

  /** @param {HTMLElement} node */
  constructor (node) {
    this.#node = node
  }

  /** Tells something that went well; it goes by itself. */
  tell (text) {
    const notice = this.#add(text, { role: 'status', class: 'notice' })
    setTimeout(() => notice.remove(), SHOWN_MS)
  }

  /** Tells what went wrong; it stays until it is closed. The same words are not shown twice. */
  complain (text) {
    for (const notice of this.#node.children) {
      if (notice.firstChild.textContent === text) notice.remove()
    }
    this.#add(text, { role: 'alert', class: 'notice bad' })
  }

  #add (text, attributes) {
    const notice = element('div', attributes, element('p', {}, text))
    notice.append(button('Close', () => notice.remove(), { class: 'quiet' }))
    this.#node.append(notice)
    while (this.#node.children.length > AT_ONCE) this.#node.firstChild.remove()
    return notice
  }
}
