/* How the page is connected, and up to where it has come. */
import { button, element, setText } from './element.js'
import { wordsOfError } from './wording.js'

export class ConnectionBar {
  #dot = element('span', { class: 'dot', 'aria-hidden': 'true' })
  #words = element('span', { class: 'connection-words' })
  #place = element('span', { class: 'seq', title: 'The cursor that this connection began with, and the newest event that has come' })
  #now = button('Try now', () => this.#feed?.tryNow(), { class: 'quiet small' })
  #cut = button('Cut the connection', () => this.#act?.(), { class: 'quiet small' })
  node
  #feed = null
  #act = null
  /** The end of the wait that is being counted down, and what counts. */
  #state = null
  #until = 0
  #timer = null

  /** @param {HTMLElement} choice of the transport */
  constructor (choice) {
    this.node = element('footer', { class: 'connection', 'aria-label': 'Connection' }, this.#dot, this.#words, this.#now, this.#place, choice, this.#cut)
  }

  /** @param {any} feed the session that is open, or null @param {boolean} running */
  update (feed, running) {
    this.node.hidden = feed === null
    this.#feed = feed
    if (feed === null) return this.#count(null)
    const { connection, isCut, cursor, followedFrom } = feed
    const [kind, words] = isCut ? ended(connection) : described(connection, running)
    this.#count(isCut ? null : connection)
    this.node.dataset.state = kind
    this.#now.hidden = kind !== 'waiting'
    if (kind !== 'waiting') setText(this.#words, words)
    setText(this.#place, `cursor ${followedFrom} → seq ${cursor}`)
    setText(this.#cut, isCut ? 'Resume' : 'Cut the connection')
    this.#act = () => isCut ? feed.resume() : feed.cut()
  }

  /** Counts the seconds of a wait down. */
  #count (state) {
    if (state === this.#state) return
    this.#state = state
    clearInterval(this.#timer)
    if (state?.status !== 'waiting') return
    this.#until = performance.now() + state.delayMs
    const show = () => setText(this.#words, `${wordsOfError(state.error)} Again in ${Math.max(0, Math.ceil((this.#until - performance.now()) / 1_000))} s`)
    show()
    this.#timer = setInterval(show, 1_000)
  }
}

function described (connection, running) {
  switch (connection.status) {
    case 'connecting': return ['connecting', connection.attempt === 0 ? 'Connecting' : `Connecting, attempt ${connection.attempt + 1}`]
    case 'replaying': return ['replaying', `Replaying ${connection.cursor} of ${connection.lastSeq}`]
    case 'live': return running ? ['running', 'Live, a run is running'] : ['live', 'Live']
    case 'waiting': return ['waiting', '']
    default: return ended(connection)
  }
}

function ended ({ error = null }) {
  return error === null ? ['cut', 'Cut: what runs goes on without you'] : ['closed', wordsOfError(error)]
}
