/* Elements, without markup: what is shown is text, never HTML. */

/**
 * An element. Of the attributes, functions are listeners (`onclick`), true is an empty attribute, false and null are none.
 * @param {string} name
 * @param {Record<string, unknown>} [attributes]
 * @param {...(Node | string | null)} children null is left out
 * @returns {any}
 */
export function element (name, attributes = {}, ...children) {
  const node = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') node.addEventListener(key.slice(2), value)
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(key, value === true ? '' : String(value))
  }
  node.append(...children.filter((child) => child !== null))
  return node
}

/** A button that does something to the page, and submits nothing. */
export function button (label, onclick, attributes = {}) {
  return element('button', { type: 'button', onclick, ...attributes }, label)
}

/**
 * A button whose deed takes time: until it is done it does nothing more. It is not disabled: that would take the keyboard's
 * place in the page from whoever pressed it.
 * @param {string} label
 * @param {() => Promise<void>} act
 */
export function slowButton (label, act, attributes = {}) {
  let busy = false
  const node = button(label, async () => {
    if (busy) return
    busy = true
    node.setAttribute('aria-disabled', 'true')
    await act()
    node.removeAttribute('aria-disabled')
    busy = false
  }, attributes)
  return node
}

/** Sets the text of a node, if it is another: what is set again is read out again, and loses its selection. */
export function setText (node, text) {
  if (node.textContent !== text) node.textContent = text
}
