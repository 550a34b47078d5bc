/* Who one is, where the server wants to know: a token, which it keeps in a cookie that the page cannot read. */
import { element, setText } from './element.js'
import { apiUrl } from './settings.js'

/** The dialog; it closes only by logging in. */
export class Login {
  #token = element('input', { type: 'password', autocomplete: 'current-password', required: true, 'aria-describedby': 'login-problem' })
  #problem = element('p', { class: 'problem', id: 'login-problem', role: 'alert' })
  #submit = element('button', { type: 'submit', class: 'primary' }, 'Log in')
  #dialog
  #loggedIn

  /** @param {() => void} loggedIn called each time that somebody has logged in */
  constructor (loggedIn) {
    this.#loggedIn = loggedIn
    const form = element('form', { onsubmit: (event) => this.#send(event) },
      element('h2', {}, 'Log in'),
      element('p', {}, 'This server wants to know who you are.'),
      element('label', {}, 'Token', this.#token),
      this.#problem,
      element('div', { class: 'buttons' }, this.#submit))
    this.#dialog = element('dialog', { 'aria-label': 'Log in', oncancel: (event) => event.preventDefault() }, form)
    document.body.append(this.#dialog)
  }

  open () {
    if (this.#dialog.open) return
    setText(this.#problem, '')
    this.#dialog.showModal()
  }

  async #send (event) {
    event.preventDefault()
    this.#submit.disabled = true
    const problem = await post('login', { token: this.#token.value })
    this.#submit.disabled = false
    setText(this.#problem, problem ?? '')
    if (problem !== null) return this.#token.select()
    this.#token.value = ''
    this.#dialog.close()
    this.#loggedIn()
  }
}

/** Forgets the cookie. Resolves with what went wrong, or null. */
export function logOut () {
  return post('logout')
}

async function post (path, body) {
  try {
    const { ok, status, headers } = await fetch(`${apiUrl}/${path}`, {
      method: 'POST', ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
    })
    if (ok) return null
    if (status === 429) return `Too many tries: wait ${headers.get('retry-after')} seconds.`
    return status === 401 ? 'The server does not know this token.' : `The server answered ${status}.`
  } catch {
    return 'The server cannot be reached.'
  }
}
