/* One run: its message, what the agent did, and how it ended. */
import { element, setText } from './element.js'
import { KeyedList } from './keyed-list.js'
import { partView } from './part-views.js'
import { wordsOfEnding, wordsOfUsage } from './wording.js'

export class RunView {
  #parts = element('div', { class: 'parts' })
  #foot = element('p', { class: 'run-foot' })
  node = element('article', { class: 'run' }, this.#parts, this.#foot)
  #list

  /** @param {{ approve: (requestId: string, decision: object) => Promise<void> }} actions */
  constructor (actions) {
    this.#list = new KeyedList(this.#parts, ({ key }) => key, (part) => partView(part, actions))
  }

  update ({ runId, provider, status, complete, parts, usage, activity }) {
    this.node.dataset.run = runId
    this.node.setAttribute('aria-busy', String(status === 'running'))
    this.#list.update(parts)
    // One line, always there: what comes to stand in it moves nothing.
    this.#foot.classList.toggle('busy', status === 'running')
    this.#foot.classList.toggle('bad', complete !== null && !complete.success && !complete.aborted)
    const asks = parts.some(({ type, outcome }) => type === 'permission' && outcome === null)
    if (complete === null) return setText(this.#foot, asks ? 'Waits for an answer' : activity ?? 'Working')
    setText(this.#foot, [wordsOfEnding(complete), wordsOfUsage(complete.usage ?? usage)].filter((words) => words !== '').join(' · '))
    this.#foot.title = `${provider}, ${new Date(complete.timestamp).toLocaleString()}`
  }
}
