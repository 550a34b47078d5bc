/* What a run is made of: one view for each type of part. */
import { element, setText } from './element.js'
import { PermissionView } from './permission-view.js'
import { TextView } from './text-view.js'
import { textOfContent, textOfValue } from './wording.js'

/** The view of a part. */
export function partView ({ type, role }, { approve }) {
  switch (type) {
    case 'text': return role === 'user' ? new UserText() : new AssistantText()
    case 'thinking': return new Thinking()
    case 'tool': return new Tool()
    case 'permission': return new PermissionView(approve)
    case 'plan': return new Plan()
    case 'error': return new Problem()
    default: return new Custom()
  }
}

class UserText {
  node = element('div', { class: 'said user' })

  update ({ content }) {
    this.node.replaceChildren(element('span', { class: 'unseen' }, 'You: '), element('div', { class: 'prose' }, textOfContent(content)))
    for (const part of typeof content === 'string' ? [] : content) {
      if (part.type === 'image' && 'data' in part) this.node.append(element('img', { alt: part.name ?? '', src: `data:${part.mimeType};base64,${part.data}` }))
    }
  }
}

class AssistantText {
  #text = new TextView()
  node = element('div', { class: 'said assistant' }, element('span', { class: 'unseen' }, 'Agent: '), this.#text.node)

  update ({ content, streaming }) {
    this.#text.update(textOfContent(content), streaming)
  }
}

class Thinking {
  #text = new TextView()
  #summary = element('summary', {})
  node = element('details', { class: 'aside thinking' }, this.#summary, this.#text.node)

  update ({ content, streaming }) {
    setText(this.#summary, streaming ? 'Reasoning …' : 'Reasoning')
    this.#text.update(content, streaming)
  }
}

class Tool {
  #name = element('span', { class: 'tool-name' })
  #status = element('span', { class: 'tool-status' })
  #body = element('div', { class: 'tool-body' })
  #values = new Map()
  node = element('details', { class: 'aside tool' }, element('summary', {}, this.#name, ' ', this.#status), this.#body)

  update ({ toolName, input, status, update, result }) {
    setText(this.#name, toolName)
    setText(this.#status, result === null ? status ?? 'called' : result.isError ? 'failed' : 'done')
    this.node.classList.toggle('bad', result?.isError === true)
    this.#show('Input', input)
    this.#show('Progress', result === null ? update : undefined)
    this.#show('Result', result?.content)
  }

  #show (label, value) {
    let row = this.#values.get(label)
    if (row === undefined) {
      if (value === undefined || value === null) return
      row = element('div', {}, element('h4', {}, label), element('pre', { class: 'value' }))
      this.#values.set(label, row)
      this.#body.append(row)
    }
    row.hidden = value === undefined || value === null
    setText(row.lastChild, textOfValue(value))
  }
}

const MARKS = { completed: '✓', in_progress: '▸' }

class Plan {
  #list = element('ul')
  node = element('section', { class: 'aside plan', 'aria-label': 'Plan' }, element('h4', {}, 'Plan'), this.#list)

  update ({ entries }) {
    this.#list.replaceChildren(...entries.map((entry) => {
      const { content, title, status } = typeof entry === 'object' && entry !== null ? entry : {}
      const words = content ?? title ?? textOfValue(entry)
      return element('li', { class: status === 'completed' ? 'completed' : '' },
        element('span', { class: 'mark', 'aria-hidden': 'true' }, MARKS[status] ?? '○'), textOfValue(words),
        typeof status === 'string' ? element('span', { class: 'unseen' }, ` (${status.replaceAll('_', ' ')})`) : null)
    }))
  }
}

class Problem {
  node = element('p', { class: 'problem' })

  update ({ code, message }) {
    setText(this.node, `${message} (${code})`)
  }
}

class Custom {
  #summary = element('summary')
  #data = element('pre', { class: 'value' })
  node = element('details', { class: 'aside' }, this.#summary, this.#data)

  update ({ name, data }) {
    setText(this.#summary, name)
    setText(this.#data, textOfValue(data))
  }
}
