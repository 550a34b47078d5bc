/* The sessions, newest first. */
import { element, setText, slowButton } from './element.js'
import { KeyedList } from './keyed-list.js'
import { wordsOfError } from './wording.js'

const PAGE = 30
/** As many as the server gives at once. */
const MOST = 500
/** How often it is asked while somebody looks. */
const REFRESH_MS = 10_000

export class SessionsList {
  #client
  #unknown
  #wanted = PAGE
  #selected = null
  #sessions = []
  #asking = null
  #list = element('ul', { class: 'sessions' })
  #empty = element('p', { class: 'hint', hidden: true }, 'No sessions yet.')
  #problem = element('p', { class: 'hint', hidden: true })
  #more = slowButton('Show more', () => this.#showMore(), { class: 'older', hidden: true })
  #view
  #changed
  node = element('div', { class: 'sessions-box' }, this.#problem, this.#list, this.#empty, this.#more)

  /** @param {any} client @param {{ changed: () => void, unknown: (error: unknown) => void }} listener `unknown`: the server does not know who asks */
  constructor (client, { changed, unknown }) {
    this.#client = client
    this.#changed = changed
    this.#unknown = unknown
    this.#view = new KeyedList(this.#list, ({ id }) => id, () => new SessionItem())
    setInterval(() => { if (!document.hidden) this.refresh() }, REFRESH_MS)
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.refresh() })
  }

  /** What is known of a session; undefined if it is not in the list. */
  find (sessionId) {
    return this.#sessions.find(({ id }) => id === sessionId)
  }

  select (sessionId) {
    this.#selected = sessionId
    this.#show()
  }

  /** Asks the server; what is asked meanwhile waits for the same answer, and one more. */
  async refresh () {
    const before = this.#asking
    const asking = this.#asking = (async () => {
      await before
      // Whoever came later asks for all of us.
      if (this.#asking !== asking) return
      try {
        this.#sessions = await this.#client.listSessions({ limit: this.#wanted })
        this.#complain('')
        this.#show()
        this.#changed()
      } catch (error) {
        if (error.statusCode === 401) this.#unknown(error)
        else this.#complain(`This list may be old. ${wordsOfError(error)}`)
      }
    })()
    await asking
    if (this.#asking === asking) this.#asking = null
  }

  async #showMore () {
    this.#wanted = Math.min(this.#wanted + PAGE, MOST)
    await this.refresh()
  }

  /** Here, and not in a notice: it comes again each time that the list is asked for. */
  #complain (words) {
    this.#problem.hidden = words === ''
    setText(this.#problem, words)
  }

  #show () {
    this.#view.update(this.#sessions.map((session) => ({ ...session, selected: session.id === this.#selected })))
    this.#empty.hidden = this.#sessions.length > 0
    this.#more.hidden = this.#sessions.length < this.#wanted || this.#wanted === MOST
  }
}

class SessionItem {
  #title = element('span', { class: 'session-title' })
  #running = element('span', { class: 'running' }, element('span', { class: 'unseen' }, 'running'))
  #link = element('a', {}, this.#title, this.#running)
  node = element('li', {}, this.#link)

  update ({ id, title, isProcessing, pendingPermissions, selected }) {
    this.#link.href = `#/${id}`
    setText(this.#title, title ?? id)
    this.#title.classList.toggle('untitled', title === null)
    this.#running.hidden = !isProcessing
    this.#running.classList.toggle('asks', pendingPermissions.length > 0)
    if (selected) this.#link.setAttribute('aria-current', 'page')
    else this.#link.removeAttribute('aria-current')
  }
}
