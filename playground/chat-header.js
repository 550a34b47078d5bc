/* The head of the session that is open: its name, and what may be done with it. */
import { ask } from './ask.js'
import { button, element, setText } from './element.js'

export class ChatHeader {
  #menu = button('Sessions', () => this.#actions.menu(), { class: 'menu', 'aria-controls': 'sidebar' })
  #title = element('h1')
  #id = element('span', { class: 'session-id', title: 'The id of the session' })
  #rename = button('Rename', () => this.#askName(), { class: 'quiet' })
  #delete = button('Delete', () => this.#askDelete(), { class: 'quiet' })
  node = element('header', { class: 'chat-header' }, this.#menu, element('div', { class: 'titles' }, this.#title, this.#id), this.#rename, this.#delete)
  #actions
  #name = ''

  /** @param {{ menu: () => void, rename: (title: string | null) => void, remove: () => void }} actions */
  constructor (actions) {
    this.#actions = actions
  }

  /** @param {string | null} sessionId null = none is open @param {string | null} title */
  update (sessionId, title) {
    this.#name = title ?? ''
    setText(this.#title, sessionId === null ? 'New session' : title ?? 'Untitled session')
    setText(this.#id, sessionId ?? '')
    this.#rename.hidden = this.#delete.hidden = sessionId === null
  }

  async #askName () {
    const name = await ask({ title: 'Rename the session', yes: 'Rename', input: { label: 'Title', value: this.#name } })
    if (name !== null) this.#actions.rename(name.trim() === '' ? null : name.trim())
  }

  async #askDelete () {
    const text = 'Its messages are deleted for good, and what is running in it is stopped.'
    if (await ask({ title: 'Delete the session?', text, yes: 'Delete', dangerous: true }) === true) this.#actions.remove()
  }
}
