/* Keeps the reader where they are: at the end if they are at the end, else at what they read. */
import { button } from './element.js'

/** Nearer to the end than this is at the end, in px. */
const NEAR = 32

export class ScrollKeeper {
  #box
  #atEnd = true
  /** For who has left the end. */
  button = button('Jump to latest', () => this.toEnd(), { class: 'jump', hidden: true })

  /** @param {HTMLElement} box what scrolls */
  constructor (box) {
    this.#box = box
    box.addEventListener('scroll', () => this.#look(), { passive: true })
    // The box changes its height when the composer does, or a keyboard comes up.
    new window.ResizeObserver(() => this.#keep()).observe(box)
  }

  /** Changes what is in the box; what the reader sees stays where it is, also if `change` adds above it. */
  during (change, { above = false } = {}) {
    const fromEnd = this.#box.scrollHeight - this.#box.scrollTop
    change()
    if (above && !this.#atEnd) this.#box.scrollTop = this.#box.scrollHeight - fromEnd
    this.#keep()
  }

  toEnd () {
    // The button is about to go, and would take the keyboard's place in the page with it.
    if (document.activeElement === this.button) this.#box.focus({ preventScroll: true })
    this.#atEnd = true
    this.#keep()
  }

  #keep () {
    if (this.#atEnd) this.#box.scrollTop = this.#box.scrollHeight
    this.#look()
  }

  #look () {
    const { scrollHeight, scrollTop, clientHeight } = this.#box
    this.#atEnd = scrollHeight - scrollTop - clientHeight < NEAR
    this.button.hidden = this.#atEnd
  }
}
