/* Dark or light: as the system says, until somebody says otherwise. */
import { button, setText } from './element.js'
import { recall, remember } from './memory.js'

const KEY = 'agent-runs-theme'
const dark = window.matchMedia('(prefers-color-scheme: dark)')

apply(recall(KEY, ['dark', 'light']))

/** The button that changes it, and remembers what was chosen. */
export function themeButton () {
  const toggle = button('', () => {
    const next = current() === 'dark' ? 'light' : 'dark'
    apply(next)
    remember(KEY, next)
    show()
  }, { class: 'quiet' })
  const show = () => setText(toggle, current() === 'dark' ? 'Light' : 'Dark')
  toggle.setAttribute('title', 'Change the colours')
  dark.addEventListener('change', show)
  show()
  return toggle
}

function current () {
  return document.documentElement.dataset.theme ?? (dark.matches ? 'dark' : 'light')
}

function apply (theme) {
  if (theme !== null) document.documentElement.dataset.theme = theme
}
