/* Dark or light: as the system says, until somebody says otherwise. */
import { button, setText } from './element.js'

const KEY = 'agent-runs-theme'
const dark = window.matchMedia('(prefers-color-scheme: dark)')

apply(stored())

/** The button that changes it, and remembers what was chosen. */
export function themeButton () {
  const toggle = button('', () => {
    const next = current() === 'dark' ? 'light' : 'dark'
    apply(next)
    remember(next)
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

// Where a page may keep nothing, it is as the system says each time.
function stored () {
  try {
    const theme = window.localStorage.getItem(KEY)
    return theme === 'dark' || theme === 'light' ? theme : null
  } catch {
    return null
  }
}

function remember (theme) {
  try {
    window.localStorage.setItem(KEY, theme)
  } catch {}
}
