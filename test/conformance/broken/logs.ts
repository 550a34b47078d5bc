/* Logs that break the contract. */
import { type Breakage, turn } from './breakage.ts'

/** Breakages of appends and ends. */
export const BROKEN_LOGS: Record<string, Breakage> = {
  'a group is stored event by event': (store) => ({
    async append (groups) {
      const answers = []
      for (const group of groups) {
        let answer
        for (const event of group.events) {
          const last = event === group.events.at(-1)
          ;[answer] = await store.append([{ ...group, events: [event], ending: last ? group.ending : null }])
          if (answer!.outcome !== 'ok') break
        }
        answers.push(answer!)
      }
      return answers
    }
  }),
  'one bad group costs the others': (store) => ({
    async append (groups) {
      if (groups.length < 2) return store.append(groups)
      const [first] = await store.append(groups.slice(0, 1))
      return groups.map(() => first!)
    }
  }),
  'seqs may have gaps': (store, database) => ({
    async append (groups) {
      for (const { runId, events } of groups) {
        const run = database.runs.get(runId)
        if (run?.instanceId === store.instanceId && run.session.running === run) run.session.lastSeq = Math.max(run.session.lastSeq, events[0]!.seq - 1)
      }
      return store.append(groups)
    }
  }),
  'any instance may append': (store, database) => ({
    async append (groups) {
      for (const { runId } of groups) {
        const run = database.runs.get(runId)
        if (run !== undefined && run.session.running === run) run.instanceId = store.instanceId
      }
      return store.append(groups)
    }
  }),
  'what is stale is said to be stored': (store) => ({
    async append (groups) {
      return (await store.append(groups)).map((answer) => answer.outcome === 'stale' ? { ...answer, outcome: 'ok' } : answer)
    }
  }),
  'what was stored is a conflict when it is sent again': (store, database) => ({
    async append (groups) {
      const answers = []
      for (const group of groups) {
        const there = (database.runs.get(group.runId)?.session.lastSeq ?? 0) >= group.events[0]!.seq
        const [answer] = await store.append([group])
        answers.push(there && answer!.outcome === 'ok' ? { ...answer!, outcome: 'conflict' as const } : answer!)
      }
      return answers
    }
  }),
  'what an end set in motion is said once': (store, database) => ({
    async append (groups) {
      const over = groups.map(({ runId }) => (database.runs.get(runId)?.completeSeq ?? null) !== null)
      return (await store.append(groups)).map((answer, i) => over[i] ? { ...answer, promotion: null } : answer)
    }
  }),
  'a run may have two terminals': (store, database) => ({
    async closeRun (runId, ending, options) {
      const run = database.runs.get(runId)
      if (run !== undefined && run.ending !== null) Object.assign(run, { ending: null })
      return store.closeRun(runId, ending, options)
    }
  }),
  'the text of deltas is lost when a run is ended': (store, database) => ({
    async closeRun (runId, ending, options) {
      const session = database.runs.get(runId)?.session
      const all = session?.events ?? []
      if (session !== undefined) session.events = all.filter(({ kind }) => kind !== 'stream_delta')
      const closed = await store.closeRun(runId, ending, options)
      if (session !== undefined) session.events = [...all, ...session.events.filter((event) => !all.includes(event))]
      return closed
    }
  }),
  'the terminal is stored, but the run goes on': (store) => ({
    append: (groups) => store.append(groups.map((group) => ({ ...group, ending: null })))
  }),
  'JSON is parsed and written again': (store) => ({
    append: (groups) => store.append(groups.map((group) => ({
      ...group, events: group.events.map((event) => ({ ...event, json: event.json.includes('ud800') ? JSON.stringify(JSON.parse(event.json.toWellFormed().replaceAll('\\ud800', '\ufffd'))) : event.json }))
    })))
  })
}

/** Breakages of reads and compaction. */
export const BROKEN_READS: Record<string, Breakage> = {
  'the page and the session are of two moments': (store) => ({
    async read (...args) {
      const page = await store.read(...args)
      await turn()
      return page && { ...page, session: (await store.getSession(args[0], args[1]))! }
    }
  }),
  'a page that was cut says that it is complete': (store) => ({
    async read (...args) {
      const page = await store.read(...args)
      return page && { ...page, through: page.session.lastSeq }
    }
  }),
  'pages have any number of bytes': (store) => ({
    read: (id, owner, after, { rows }) => store.read(id, owner, after, { rows, bytes: Infinity })
  }),
  'the history has transient events': (store) => ({
    async readHistory (id, owner, options) {
      const page = await store.readHistory(id, owner, options)
      const log = await store.read(id, owner, 0, { rows: Infinity, bytes: Infinity })
      return page && { ...page, events: log!.events.filter(({ seq }) => seq <= page.cursor && seq < (options.before ?? Infinity)).slice(-options.limit) }
    }
  }),
  'the history goes into the running run': (store) => ({
    async readHistory (id, owner, options) {
      const session = await store.getSession(id, owner)
      const page = await store.readHistory(id, owner, { ...options, before: options.before ?? (session?.lastSeq ?? 0) + 1 })
      return page && { ...page, cursor: page.session.lastSeq }
    }
  }),
  'there is always more': (store) => ({
    async readHistory (...args) {
      const page = await store.readHistory(...args)
      return page && { ...page, hasMore: page.events.length === args[2].limit }
    }
  }),
  'compactedThrough stays behind': (store, database) => ({
    async compactRun (runId, keep) {
      const session = database.runs.get(runId)?.session
      const before = session?.compactedThrough ?? 0
      const left = await store.compactRun(runId, keep)
      if (session !== undefined) session.compactedThrough = before
      return left
    }
  }),
  'nothing is compacted': () => ({ compactRun: async () => 0 })
}
