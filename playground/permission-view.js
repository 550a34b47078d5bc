/* An approval: what the agent asks leave for, the answers that there are, and which was given. */
import { element, setText, slowButton } from './element.js'
import { textOfValue } from './wording.js'

const YES_AND_NO = [{ optionId: null, name: 'Allow', kind: 'allow_once' }, { optionId: null, name: 'Deny', kind: 'reject_once' }]

export class PermissionView {
  #title = element('p', { class: 'permission-title' })
  #input = element('pre', { class: 'value' })
  #answers = element('div', { class: 'answers' })
  #outcome = element('p', { class: 'outcome', tabindex: '-1' })
  node = element('section', { class: 'permission', 'aria-label': 'Approval' }, this.#title, this.#input, this.#answers, this.#outcome)
  #approve
  #drawn = false

  /** @param {(requestId: string, decision: object) => Promise<void>} approve resolves when the answer was sent or refused */
  constructor (approve) {
    this.#approve = approve
  }

  update ({ requestId, toolId, toolName, input, options, outcome }) {
    if (!this.#drawn) {
      this.#drawn = true
      setText(this.#title, `The agent asks for leave to use ${toolName}`)
      setText(this.#input, textOfValue(input))
      this.#answers.append(...(options?.length > 0 ? options : YES_AND_NO).map((option) => this.#answer(requestId, option)))
    }
    this.node.classList.toggle('waiting', outcome === null)
    // What was answered is short: the input is with the tool.
    this.#input.hidden = input === undefined || (outcome !== null && toolId !== undefined)
    setText(this.#outcome, outcome === null ? '' : wordsOf(outcome, options))
    if (outcome !== null && this.#answers.contains(document.activeElement)) this.#outcome.focus()
    this.#answers.hidden = outcome !== null
  }

  #answer (requestId, { optionId, name, kind = 'allow_once' }) {
    const allow = !kind.startsWith('reject')
    return slowButton(name, () => this.#approve(requestId, { allow, ...(optionId !== null && { optionId }) }), { class: allow ? 'primary' : '' })
  }
}

function wordsOf (outcome, options) {
  if ('cancelled' in outcome) return `Not answered: ${outcome.cancelled === 'withdrawn' ? 'the agent took it back' : `the run was ${outcome.cancelled}`}`
  const chosen = options?.find(({ optionId }) => optionId === outcome.optionId)
  return `${outcome.allow ? 'Allowed' : 'Denied'}${chosen === undefined ? '' : `: ${chosen.name}`}`
}
