/* The session that is open, or the place to begin one. */
import { Announcer } from './announcer.js'
import { ChatHeader } from './chat-header.js'
import { Composer } from './composer.js'
import { ConnectionBar } from './connection-bar.js'
import { button, element } from './element.js'
import { examples } from './examples.js'
import { Outbox } from './outbox.js'
import { SessionFeed } from './session-feed.js'
import { settings } from './settings.js'
import { TranscriptView } from './transcript-view.js'
import { Transports } from './transports.js'
import { WaitingMessages } from './waiting-messages.js'
import { titleOf, wordsOfError } from './wording.js'

/** How often a page that nobody sees is brought up to date. */
const HIDDEN_MS = 1_000

export class Chat {
  #actions
  #announcer
  #header
  #middle = element('div', { class: 'middle' })
  #composer
  #transports = new Transports(() => this.#feed?.reconnect())
  #bar = new ConnectionBar(this.#transports.node)
  #waiting = new WaitingMessages((runId) => this.#cancel(runId))
  #outbox
  /** What is open; null = nothing yet. */
  #feed = null
  #session = null
  #transcript = null
  #scheduled = false
  /** How many runs have begun and ended: when that changes, so may what waits. */
  #turns = 0

  /**
   * @param {{ node: HTMLElement, announcer: HTMLElement, actions: {
   *   menu: () => void, goTo: (sessionId: string | null) => void, changed: () => void, tell: (words: string) => void, failed: (error: unknown) => void } }} parts
   */
  constructor ({ node, announcer, actions }) {
    this.#actions = actions
    this.#announcer = new Announcer(announcer)
    this.#outbox = new Outbox(() => this.#client)
    this.#header = new ChatHeader({ menu: actions.menu, rename: (title) => this.#rename(title), remove: () => this.#remove() })
    this.#composer = new Composer({ send: (message, title) => this.#send(message, title), stop: () => this.stop() })
    node.append(this.#header.node, this.#middle, element('div', { class: 'bottom' }, this.#waiting.node, this.#composer.node), this.#bar.node)
  }

  /** The client of the chosen transport. */
  get #client () { return this.#transports.client }

  get sessionId () { return this.#feed?.sessionId ?? null }

  /** Opens a session, or the place to begin one. */
  open (sessionId) {
    this.#feed?.close()
    this.#announcer.reset()
    this.#session = null
    this.#turns = 0
    this.#composer.open(sessionId)
    this.#feed = sessionId === null ? null : this.#newFeed(sessionId)
    this.#transcript = sessionId === null ? null : new TranscriptView({ approve: (...answer) => this.#approve(...answer), loadOlder: () => this.#try(() => this.#feed?.loadOlder()) })
    this.#middle.replaceChildren(this.#transcript?.node ?? this.#welcome())
    if (this.#feed !== null) this.#load(this.#feed)
    this.#render()
  }

  /** Takes what the list of sessions knows. */
  know (session) {
    if (session === undefined || session.id !== this.sessionId) return
    this.#session = session
    this.#schedule()
  }

  /** Stops the running run, if there is one. */
  async stop () {
    const run = this.#running()
    if (run !== undefined) await this.#try(() => this.#client.abort(this.sessionId, { runId: run.runId }))
  }

  focus () {
    this.#composer.focus()
  }

  #newFeed (sessionId) {
    const feed = new SessionFeed(() => this.#client, sessionId, {
      changed: () => { if (feed === this.#feed) this.#schedule() },
      deleted: () => { if (feed === this.#feed) this.#left('The session was deleted.') },
      failed: (error) => { if (feed === this.#feed) this.#actions.failed(error) }
    })
    return feed
  }

  async #load (feed) {
    try {
      const [session] = await Promise.all([this.#client.getSession(feed.sessionId), feed.open()])
      if (feed !== this.#feed) return
      this.#session = session
      this.#schedule()
    } catch (error) {
      if (feed !== this.#feed) return
      feed.close()
      this.#schedule()
      // Whoever has to log in first is asked to, and comes back here.
      if (error.statusCode === 401) this.#actions.failed(error)
      this.#middle.replaceChildren(this.#problem(wordsOfError(error)))
    }
  }

  async #send ({ ...message }, title = titleOf(message.content)) {
    try {
      if (this.sessionId === null) {
        const { id } = await this.#client.createSession({ title })
        this.#composer.made(id)
        this.#actions.goTo(id)
      }
      const { sessionId } = this
      await this.#outbox.send(sessionId, message)
      this.#actions.changed()
      if (sessionId === this.sessionId) {
        // It was not there, and the message has made it.
        if (this.#feed.isClosed) this.open(sessionId)
        this.#transcript.toEnd()
      }
      return 'sent'
    } catch (error) {
      this.#actions.failed(error)
      return error.code === 'RUN_IN_PROGRESS' ? 'busy' : 'failed'
    }
  }

  async #cancel (runId) {
    await this.#try(() => this.#client.abort(this.sessionId, { runId }))
  }

  #approve (requestId, decision) {
    return this.#try(() => this.#client.approve(this.sessionId, requestId, decision))
  }

  async #rename (title) {
    await this.#try(async () => { this.#session = await this.#client.updateSession(this.sessionId, { title }) })
    this.#actions.changed()
    this.#schedule()
  }

  async #remove () {
    const feed = this.#feed
    await this.#try(async () => {
      await this.#client.deleteSession(feed.sessionId)
      if (feed === this.#feed) this.#left('The session was deleted.')
    })
  }

  #left (words) {
    this.#actions.tell(words)
    this.#actions.goTo(null)
    this.#actions.changed()
    // What had the focus may have gone with the session.
    if (document.activeElement === document.body) this.focus()
  }

  /** Does something, and says so if it fails. */
  async #try (action) {
    try {
      await action()
    } catch (error) {
      this.#actions.failed(error)
    }
  }

  #running () {
    const run = this.#feed?.runs.at(-1)
    return run?.status === 'running' ? run : undefined
  }

  /** Shows what has changed, once for all that comes within a frame. */
  #schedule () {
    if (this.#scheduled) return
    this.#scheduled = true
    const render = () => {
      this.#scheduled = false
      this.#render()
    }
    // A page that nobody sees has no frames, but a title.
    if (document.hidden) setTimeout(render, HIDDEN_MS)
    else window.requestAnimationFrame(render)
  }

  #render () {
    const feed = this.#feed
    const runs = feed?.runs ?? []
    const running = this.#running() !== undefined
    this.#header.update(this.sessionId, this.#session?.title ?? null)
    this.#transcript?.update(runs, feed.hasMore)
    this.#composer.update(running)
    this.#bar.update(feed?.isClosed === true ? null : feed, running)
    const hears = feed?.connection.status === 'live' && !feed.isCut
    this.#waiting.update(feed === null ? [] : this.#outbox.waiting(feed.sessionId, runs, feed.waiting, hears))
    this.#announcer.update(runs, hears)
    document.title = `${running ? '● ' : ''}${this.#session?.title ?? 'Agent runs'}`
    const turns = runs.reduce((sum, { complete }) => sum + (complete === null ? 1 : 2), 0)
    if (turns !== this.#turns && hears) {
      this.#turns = turns
      this.#actions.changed()
    }
  }

  #welcome () {
    return element('div', { class: 'welcome' },
      element('h2', {}, 'Start a session'),
      element('p', {}, 'A message starts a run on the server. It goes on whether this page is open or not, and every page that looks sees the same.'),
      element('p', {}, 'What your app would ask the server for is in the ', element('a', { href: './docs' }, 'description of its routes'), '.'),
      settings.defaultProvider === 'echo' ? examples((content, title) => this.#composer.say(content, title)) : null)
  }

  #problem (words) {
    return element('div', { class: 'welcome' },
      element('p', { class: 'problem', role: 'alert' }, words),
      element('div', { class: 'examples' },
        button('Try again', () => this.open(this.sessionId)),
        button('New session', () => this.#actions.goTo(null))))
  }
}
