/* Messages that wait for their turn; and those that were sent while the page hears nothing. */
import { element, setText, slowButton } from './element.js'
import { KeyedList } from './keyed-list.js'

export class WaitingMessages {
  #list = element('ul', { class: 'waiting-messages', 'aria-label': 'Messages that wait', hidden: true })
  #view
  node = this.#list

  /** @param {(runId: string) => Promise<void>} cancel */
  constructor (cancel) {
    this.#view = new KeyedList(this.#list, ({ runId }) => runId, () => new WaitingMessage(cancel))
  }

  /** @param {Array<{ runId: string, text: string, status: 'queued' | 'sent' }>} messages in the order of their turns */
  update (messages) {
    this.#list.hidden = messages.length === 0
    this.#view.update(messages)
  }
}

class WaitingMessage {
  #text = element('span', { class: 'waiting-text' })
  #status = element('span', { class: 'waiting-status' })
  #cancel
  node

  constructor (cancel) {
    this.#cancel = slowButton('Cancel', () => cancel(this.node.dataset.run), { class: 'quiet small' })
    this.node = element('li', {}, this.#status, this.#text, this.#cancel)
  }

  update ({ runId, text, status }) {
    this.node.dataset.run = runId
    setText(this.#status, status)
    setText(this.#text, text === '' ? 'a file' : text)
    this.#cancel.hidden = status !== 'queued'
  }
}
