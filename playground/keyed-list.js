/* A list on the page that follows a list in memory: what has not changed is not touched. */

/**
 * @typedef {object} View
 * @property {HTMLElement} node
 * @property {(item: any) => void} update
 */
export class KeyedList {
  /** @type {Map<string, { view: View, item: unknown }>} */
  #shown = new Map()
  #node
  #keyOf
  #create

  /**
   * @param {HTMLElement} node the list, which holds nothing else
   * @param {(item: any) => string} keyOf
   * @param {(item: any) => View} create the view of an item, not yet updated with it
   */
  constructor (node, keyOf, create) {
    this.#node = node
    this.#keyOf = keyOf
    this.#create = create
  }

  /** Shows these items, in this order. An item that is the same object as before is left alone. */
  update (items) {
    const keys = new Set(items.map(this.#keyOf))
    for (const [key, { view }] of this.#shown) {
      if (keys.has(key)) continue
      view.node.remove()
      this.#shown.delete(key)
    }
    let place = this.#node.firstChild
    for (const item of items) {
      const { view } = this.#entry(item)
      if (view.node === place) place = place.nextSibling
      else this.#node.insertBefore(view.node, place)
    }
  }

  #entry (item) {
    const key = this.#keyOf(item)
    let entry = this.#shown.get(key)
    if (entry === undefined) {
      entry = { view: this.#create(item), item: undefined }
      this.#shown.set(key, entry)
    }
    if (entry.item !== item) {
      entry.item = item
      entry.view.update(item)
    }
    return entry
  }
}
