/* The runs of a session, one below the other. */
import { button, element } from './element.js'
import { KeyedList } from './keyed-list.js'
import { RunView } from './run-view.js'
import { ScrollKeeper } from './scroll-keeper.js'

export class TranscriptView {
  #runs = element('div', { class: 'runs' })
  #older
  #box
  #list
  #scroll
  #first = null
  node

  /** @param {{ approve: (requestId: string, decision: object) => Promise<void>, loadOlder: () => Promise<void> }} actions */
  constructor ({ approve, loadOlder }) {
    this.#older = button('Show what came before', async () => {
      this.#older.disabled = true
      await loadOlder()
      this.#older.disabled = false
    }, { class: 'older', hidden: true })
    this.#box = element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Transcript' },
      element('div', { class: 'measure' }, this.#older, this.#runs))
    this.#scroll = new ScrollKeeper(this.#box)
    this.#list = new KeyedList(this.#runs, ({ runId }) => runId, () => new RunView({ approve }))
    this.node = element('div', { class: 'transcript' }, this.#box, this.#scroll.button)
  }

  /** @param {any[]} runs @param {boolean} hasMore whether there is more before them */
  update (runs, hasMore) {
    const above = this.#first !== null && runs[0]?.parts[0] !== this.#first
    this.#first = runs[0]?.parts[0] ?? null
    this.#scroll.during(() => {
      this.#older.hidden = !hasMore
      this.#list.update(runs)
    }, { above })
  }

  /** Goes to the end, as who sends something wants to see it. */
  toEnd () {
    this.#scroll.toEnd()
  }
}
