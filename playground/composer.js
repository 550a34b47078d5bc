/* Where messages are written. */
import { button, element } from './element.js'
import { MessageOptions } from './message-options.js'

export class Composer {
  #text = element('textarea', {
    id: 'message', rows: '1', placeholder: 'Write a message', 'aria-label': 'Message', autocomplete: 'off', oninput: () => this.#written(), onkeydown: (event) => this.#pressed(event)
  })

  #send = element('button', { type: 'submit', class: 'primary' }, 'Send')
  #queue = element('button', { type: 'submit', class: 'primary', title: 'Send it when the run has ended' }, 'Queue')
  #interrupt = button('Interrupt', () => this.#submit('interrupt'), { title: 'Stop the run, and send it now' })
  #stop = button('Stop', () => this.#actions.stop(), { class: 'danger', title: 'Stop the run (Esc)' })
  #options = new MessageOptions()
  node = element('form', { class: 'composer', 'aria-label': 'New message', onsubmit: (event) => { event.preventDefault(); this.#submit() } },
    element('div', { class: 'field' }, this.#text, element('div', { class: 'buttons' }, this.#stop, this.#interrupt, this.#queue, this.#send)),
    this.#options.node)

  #actions
  #running = false
  /** The server has said that a run is in the way, of which the page does not know. */
  #refused = false
  /** What is being sent, and from where; null = nothing. */
  #sending = null
  /** What was written and not sent, by session. */
  #drafts = new Map()
  #place = null

  /** @param {{ send: (message: object, title?: string) => Promise<'sent' | 'busy' | 'failed'>, stop: () => void }} actions */
  constructor (actions) {
    this.#actions = actions
    this.#show()
  }

  /** Goes to a session, or to none yet (null). What is written stays where it was. */
  open (sessionId) {
    this.#refused = false
    if (sessionId === this.#place) return this.#show()
    this.#drafts.set(this.#place, this.#text.value)
    this.#place = sessionId
    this.#write(this.#drafts.get(sessionId) ?? '')
  }

  /** What was written where there is no session yet is that session's. */
  made (sessionId) {
    if (this.#sending !== null) this.#sending.place = sessionId
    if (this.#place === null) this.#place = sessionId
    else this.#drafts.set(sessionId, this.#drafts.get(null) ?? '')
    this.#drafts.delete(null)
  }

  /** @param {boolean} running whether a run is in the way of the next message */
  update (running) {
    if (running === this.#running) return
    this.#running = running
    if (!running) this.#refused = false
    this.#show()
  }

  focus () {
    this.#text.focus()
  }

  /** Sends words that are ready. */
  say (content, title) {
    this.#write(content)
    return this.#submit(undefined, { title })
  }

  #pressed (event) {
    // While a character is being composed, Enter is part of that.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
    event.preventDefault()
    this.#submit()
  }

  async #submit (onBusy = this.#running || this.#refused ? 'queue' : undefined, { title } = {}) {
    const content = this.#text.value
    if (content.trim() === '' || this.#sending !== null) return this.#text.focus()
    const more = this.#options.read()
    if (more === null) return
    const sending = this.#sending = { place: this.#place }
    this.#show()
    const outcome = await this.#actions.send({ content, ...more, ...(onBusy !== undefined && { onBusy }) }, title)
    this.#sending = null
    if (sending.place === this.#place) this.#refused = outcome === 'busy'
    if (outcome === 'sent') this.#forget(sending.place, content)
    this.#show()
  }

  /** Empties a place of what was sent, unless something else has been written there meanwhile. */
  #forget (place, content) {
    if (place !== this.#place) {
      if (this.#drafts.get(place) === content) this.#drafts.delete(place)
    } else if (this.#text.value === content) this.#write('')
  }

  #write (text) {
    this.#text.value = text
    this.#written()
  }

  #written () {
    this.#text.style.height = 'auto'
    this.#text.style.height = `${this.#text.scrollHeight + 2}px`
    this.#show()
  }

  #show () {
    const busy = this.#running || this.#refused
    const empty = this.#text.value.trim() === ''
    this.#send.hidden = busy
    this.#queue.hidden = this.#interrupt.hidden = !busy
    this.#stop.hidden = !this.#running
    // Who writes on while it is being sent is not disturbed.
    for (const each of [this.#send, this.#queue, this.#interrupt]) each.disabled = empty || this.#sending !== null
  }
}
