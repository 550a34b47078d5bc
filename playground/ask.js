/* Questions, in a dialog of the page. */
import { button, element } from './element.js'

/**
 * Asks, and resolves with what was written (true, if nothing is to be written), or null if it was called off.
 * @param {{ title: string, text?: string, yes: string, dangerous?: boolean, input?: { label: string, value: string } }} question
 */
export function ask ({ title, text, yes, dangerous = false, input }) {
  const field = input === undefined ? null : element('input', { type: 'text', maxlength: '1000', value: input.value, 'aria-label': input.label, autocomplete: 'off' })
  const form = element('form', { method: 'dialog' },
    element('h2', {}, title),
    text === undefined ? null : element('p', {}, text),
    field,
    element('div', { class: 'buttons' },
      button('Cancel', () => dialog.close()),
      element('button', { type: 'submit', value: 'yes', class: dangerous ? 'danger' : 'primary' }, yes)))
  const dialog = element('dialog', { 'aria-label': title }, form)
  document.body.append(dialog)
  dialog.showModal()
  field?.select()
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove()
      resolve(dialog.returnValue !== 'yes' ? null : field === null ? true : field.value)
    }, { once: true })
  })
}
