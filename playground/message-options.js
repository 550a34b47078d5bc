/* What may go with a message, for those who want it: who answers, and the provider's own options. */
import { element, setText } from './element.js'
import { settings } from './settings.js'

export class MessageOptions {
  #provider = element('select', {}, element('option', { value: '' }, settings.defaultProvider === null ? 'choose …' : `default (${settings.defaultProvider})`),
    ...settings.providers.map((name) => element('option', { value: name }, name)))

  #options = element('textarea', { rows: '2', spellcheck: 'false', autocomplete: 'off', placeholder: '{ }', 'aria-describedby': 'options-problem' })
  #problem = element('p', { class: 'problem', id: 'options-problem', role: 'alert' })
  node = element('details', { class: 'options' },
    element('summary', {}, 'Options'),
    element('label', { class: settings.providers.length > 1 ? '' : 'absent' }, 'Provider', this.#provider),
    element('label', {}, 'Options of the provider, as JSON', this.#options),
    this.#problem)

  /** What goes with the next message; null if it makes no sense, which it says. */
  read () {
    const { problem, options } = parsed(this.#options.value)
    setText(this.#problem, problem ?? '')
    this.#options.setAttribute('aria-invalid', String(problem !== null))
    if (problem !== null) {
      this.node.open = true
      this.#options.focus()
      return null
    }
    const provider = this.#provider.value
    return { ...(provider !== '' && { provider }), ...(options !== null && { options }) }
  }
}

function parsed (text) {
  if (text.trim() === '') return { options: null, problem: null }
  try {
    const options = JSON.parse(text)
    if (typeof options === 'object' && options !== null && !Array.isArray(options)) return { options, problem: null }
    return { options: null, problem: 'The options must be a JSON object, such as { "model": "…" }.' }
  } catch (error) {
    return { options: null, problem: `The options are not JSON: ${error.message}` }
  }
}
