/* The page: what it is made of, and where in it one is. */
import { createClient } from 'fastify-agent-runs-client'
import { Chat } from './chat.js'
import { button, element } from './element.js'
import { Login, logOut } from './login.js'
import { Notices } from './notices.js'
import { SessionsList } from './sessions-list.js'
import { apiUrl, settings } from './settings.js'
import { themeButton } from './theme.js'
import { wordsOfError } from './wording.js'

const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id))
const [app, sidebar, main] = [byId('app'), byId('sidebar'), byId('chat')]
const client = createClient(apiUrl)
const notices = new Notices(byId('notices'))
const login = settings.login ? new Login(loggedIn) : null

/** Whoever is not known is asked to log in; all else is told. */
function failed (error) {
  if (error.statusCode === 401 && login !== null) login.open()
  else notices.complain(wordsOfError(error))
}

const list = new SessionsList(client, {
  changed: () => chat.know(list.find(chat.sessionId)),
  unknown: failed
})
const chat = new Chat({
  node: main,
  announcer: byId('announcer'),
  actions: { menu: () => showSidebar(true), goTo, changed: () => { list.refresh() }, tell: (words) => notices.tell(words), failed }
})

sidebar.append(
  element('div', { class: 'sidebar-head' },
    element('strong', {}, 'Agent runs'),
    themeButton(),
    settings.login ? button('Log out', leave, { class: 'quiet' }) : null,
    button('Close', () => showSidebar(false), { class: 'quiet menu' })),
  button('New session', () => { goTo(null); chat.focus() }, { class: 'primary new' }),
  list.node)
sidebar.addEventListener('click', ({ target }) => { if (target.closest('a') !== null) showSidebar(false) })
byId('skip').addEventListener('click', () => chat.focus())
window.addEventListener('hashchange', show)
document.addEventListener('keydown', (event) => {
  // Dialogs have an Escape of their own.
  if (event.key !== 'Escape' || event.isComposing || document.querySelector('dialog[open]') !== null) return
  if (app.classList.contains('browsing')) showSidebar(false)
  else chat.stop()
})
list.refresh()
show()

/** The session that the address names: `#/its-id`. */
function named () {
  const [, id] = /^#\/(.+)$/.exec(window.location.hash) ?? []
  return id ?? null
}

function goTo (sessionId) {
  if (sessionId !== named()) window.history.pushState(null, '', sessionId === null ? '#/' : `#/${sessionId}`)
  show()
  showSidebar(false)
}

function show () {
  const sessionId = named()
  list.select(sessionId)
  chat.open(sessionId)
  chat.know(list.find(sessionId))
}

/** On a narrow page the sessions lie over the rest. */
function showSidebar (open) {
  if (app.classList.contains('browsing') === open) return
  app.classList.toggle('browsing', open)
  main.inert = open
  if (open) /** @type {HTMLElement | null} */ (sidebar.querySelector('a, button.new'))?.focus()
  else chat.focus()
}

function loggedIn () {
  list.refresh()
  // It may be somebody else: what is shown is asked for anew.
  show()
}

async function leave () {
  const problem = await logOut()
  if (problem !== null) return notices.complain(problem)
  // What was on the page was for whoever has left.
  window.history.replaceState(null, '', '#/')
  window.location.reload()
}
