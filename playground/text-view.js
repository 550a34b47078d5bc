/* A text that grows: lines as they are, with code in fences and in backticks shown as code. What is there stays, and more is appended. */
import { button, element } from './element.js'

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)\s*$/
const MAYBE_FENCE = /^ {0,3}(`{3,}|~{3,})/
const INLINE = /((?<!`)`[^`\n]+`(?!`))/

export class TextView {
  node = element('div', { class: 'text' })
  #shown = ''
  #streaming = false
  /** Up to here the lines are complete. */
  #done = 0
  /** What lines are appended to, and whether one is there already. */
  #block = null
  #begun = false
  /** The fence that ends the code, or null outside of code. */
  #fence = null
  /** The nodes of the line that may still grow. */
  #tail = []

  /** @param {string} text @param {boolean} streaming whether it may grow */
  update (text, streaming) {
    if (text === this.#shown && streaming === this.#streaming) return
    if (!text.startsWith(this.#shown)) this.#clear()
    this.#shown = text
    this.#streaming = streaming
    for (let end; (end = text.indexOf('\n', this.#done)) !== -1; this.#done = end + 1) {
      this.#dropTail()
      this.#addLine(text.slice(this.#done, end))
    }
    this.#showTail(text.slice(this.#done))
  }

  #clear () {
    this.node.replaceChildren()
    this.#shown = ''
    this.#done = 0
    this.#block = this.#fence = null
    this.#tail = []
  }

  #addLine (line) {
    const [, fence, language] = FENCE.exec(line) ?? []
    if (this.#fence === null && fence !== undefined) return this.#openCode(fence, language)
    if (this.#closes(line)) return this.#close()
    this.#block ??= this.#openProse()
    this.#block.append(...this.#nodesOf(line))
    this.#begun = true
    // Neighbours that are both text are one: a long text is a few nodes, not one for each line.
    const [before, last] = [this.#block.lastChild?.previousSibling, this.#block.lastChild]
    if (before?.nodeType === window.Node.TEXT_NODE && last.nodeType === window.Node.TEXT_NODE) {
      before.appendData(last.data)
      last.remove()
    }
  }

  #showTail (line) {
    // What may become a fence is shown when it is known what it is.
    const maybe = this.#fence === null && this.#streaming && MAYBE_FENCE.test(line)
    if (line === '' || maybe || this.#closes(line)) return this.#dropTail()
    const [only] = this.#tail
    const begin = this.#begun ? '\n' : ''
    if (this.#tail.length === 1 && only.nodeType === window.Node.TEXT_NODE && (this.#fence !== null || !line.includes('`'))) {
      const next = begin + line
      if (next.startsWith(only.data)) return only.appendData(next.slice(only.data.length))
    }
    this.#dropTail()
    this.#block ??= this.#openProse()
    this.#tail = this.#nodesOf(line)
    this.#block.append(...this.#tail)
  }

  #dropTail () {
    for (const node of this.#tail) node.remove()
    this.#tail = []
  }

  #nodesOf (line) {
    const begin = this.#begun ? '\n' : ''
    if (this.#fence !== null || !line.includes('`')) return [document.createTextNode(begin + line)]
    const nodes = line.split(INLINE).filter((piece) => piece !== '').map((piece) => (
      /^`[^`]+`$/.test(piece) ? element('code', {}, piece.slice(1, -1)) : document.createTextNode(piece)
    ))
    return begin === '' ? nodes : [document.createTextNode(begin), ...nodes]
  }

  #closes (line) {
    return this.#fence !== null && FENCE.exec(line)?.[1].startsWith(this.#fence) === true
  }

  #openProse () {
    this.#begun = false
    const block = element('div', { class: 'prose' })
    this.node.append(block)
    return block
  }

  #openCode (fence, language) {
    // What looked like prose was the beginning of this.
    if (this.#block?.hasChildNodes() === false) this.#block.remove()
    const code = element('code')
    const head = element('figcaption', {}, element('span', {}, language || 'code'))
    // Only where the page came by https or from this machine.
    if (navigator.clipboard !== undefined) head.append(copyButton(code))
    this.node.append(element('figure', { class: 'code' }, head, element('pre', {}, code)))
    this.#fence = fence
    this.#block = code
    this.#begun = false
  }

  #close () {
    this.#fence = null
    this.#block = null
  }
}

function copyButton (code) {
  const copy = button('Copy', () => {
    navigator.clipboard.writeText(code.textContent).then(() => say('Copied'), () => say('Not allowed'))
  }, { class: 'quiet small' })
  const say = (words) => {
    copy.textContent = words
    setTimeout(() => { copy.textContent = 'Copy' }, 1_500)
  }
  return copy
}
