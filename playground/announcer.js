/* What people hear who do not see the page: not each word as it comes, but what there is to know, once. */
import { setText } from './element.js'
import { textOfContent, wordsOfEnding } from './wording.js'

/** More than this of an answer is theirs to read. */
const MOST = 600

export class Announcer {
  #node
  /** What has been said, or was there before; null before the first look. */
  #known = null
  #hears = false

  /** @param {HTMLElement} node a region of role `status` */
  constructor (node) {
    this.#node = node
  }

  /** Forgets everything: another session is being shown. */
  reset () {
    this.#known = null
    this.#hears = false
  }

  /** Says what is new in the newest run; and if the page hears of nothing any more, or again. */
  update (runs, hears) {
    const lost = this.#hears && !hears
    const again = hears && !this.#hears && this.#known !== null
    this.#hears = hears
    if (lost) setText(this.#node, 'The connection is lost.')
    if (!hears) return
    const run = runs.at(-1)
    const news = run === undefined ? [] : newsOf(run)
    const known = this.#known
    this.#known = new Set(news.map(([key]) => key))
    if (known === null) return
    const words = [...again ? ['Connected again.'] : [], ...news.filter(([key]) => !known.has(key)).map(([, words]) => words)]
    if (words.length > 0) setText(this.#node, words.join(' '))
  }
}

function newsOf ({ runId, parts, complete }) {
  const asked = parts.filter(({ type, outcome }) => type === 'permission' && outcome === null)
    .map(({ key, toolName }) => [`${runId} ${key}`, `The agent asks for leave to use ${toolName}.`])
  if (complete === null) return asked
  const answer = parts.filter(({ type, role }) => type === 'text' && role === 'assistant').map(({ content }) => textOfContent(content)).join('\n')
  return [...asked, [`${runId} complete`, `${answer.length > MOST ? `${answer.slice(0, MOST)} …` : answer} ${wordsOfEnding(complete)}.`]]
}
