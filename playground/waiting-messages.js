/* Messages that wait for their turn; and those that were sent while the page hears nothing. */
import { element, setText, slowButton } from './element.js'
import { KeyedList } from './keyed-list.js'
import { titleOf } from './wording.js'

export class WaitingMessages {
  #list = element('ul', { class: 'waiting-messages', 'aria-label': 'Messages that wait', hidden: true })
  #view
  node = this.#list

  /** @param {(runId: string) => Promise<void>} cancel */
  constructor (cancel) {
    this.#view = new KeyedList(this.#list, ({ runId }) => runId, () => new WaitingMessage(cancel))
  }

  /** @param {Array<{ runId: string, content: string | null, status: string, aborted: boolean | null }>} messages in the order of their turns */
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

  update ({ runId, content, status, aborted }) {
    this.node.dataset.run = runId
    const cancelled = aborted === true
    setText(this.#status, cancelled ? 'cancelled' : status === 'queued' ? 'queued' : 'sent')
    setText(this.#text, content === null ? 'a message from elsewhere' : titleOf(content))
    this.node.classList.toggle('cancelled', cancelled)
    this.#cancel.hidden = cancelled || status !== 'queued'
  }
}
