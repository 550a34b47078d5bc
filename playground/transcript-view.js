/* The runs of a session, one below the other. */
import { element, slowButton } from './element.js'
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
    this.#older = slowButton('Show what came before', loadOlder, { class: 'older', hidden: true })
    this.#box = element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Transcript' },
      element('div', { class: 'measure' }, this.#older, this.#runs))
    this.#scroll = new ScrollKeeper(this.#box)
    this.#list = new KeyedList(this.#runs, ({ runId }) => runId, () => new RunView({ approve }))
    this.node = element('div', { class: 'transcript' }, this.#box, this.#scroll.button)
  }

  /** @param {any[]} runs @param {boolean} hasMore whether there is more before them */
  update (runs, hasMore) {
    // A page of the history may begin with the last event of a run.
    const first = runs.length === 0 ? null : `${runs[0].runId} ${runs[0].parts[0]?.key}`
    const above = this.#first !== null && first !== this.#first
    this.#first = first
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
