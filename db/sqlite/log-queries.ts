/* The statements of the log and its tail, without drizzle: it would look for the placeholders anew for each event. */
import type { Database, Statement } from 'better-sqlite3'
import type { LogRow } from './event-rows.ts'
import { TailIndex, type TailRowHead } from './tail.ts'

// `(SELECT ?)` in comparisons: see `v` in queries.ts.
const SELECT = `SELECT e.seq, e.kind, e.transient, e.json, r.id, r.provider, s.id FROM agent_runs_events AS e
  INNER JOIN agent_runs_runs AS r ON r.key = e.run_key INNER JOIN agent_runs_sessions AS s ON s.key = e.session_key`

/** All of them, and the index of the tail. `othersWrites` changes with what others wrote by this connection. */
export function prepareLogQueries (connection: Database, othersWrites: () => number) {
  const changesBy = <Values extends unknown[]>(statement: Statement<Values>) => (...values: Values): number => statement.run(...values).changes
  const keyBy = <Values extends unknown[]>(statement: Statement<Values>) => (...values: Values): number => statement.run(...values).lastInsertRowid as number
  const getBy = <Values extends unknown[], Row>(statement: Statement<Values, Row>) => {
    statement.raw()
    return (...values: Values): Row | undefined => statement.get(...values)
  }
  // Rows are taken one by one, so that a page can stop at its limit; the caller exhausts or leaves the iterator before
  // anything else happens on the connection.
  const iterateBy = <Values extends unknown[], Row>(statement: Statement<Values, Row>) => {
    statement.raw()
    return (...values: Values): IterableIterator<Row> => statement.iterate(...values)
  }

  // Counts the commits of all connections but this one, without reading the database.
  const dataVersion = getBy(connection.prepare<[], [number]>('PRAGMA data_version'))
  const version = (): string => `${dataVersion()![0]} ${othersWrites()}`
  const tailHeads = iterateBy(connection.prepare<[key: number], TailRowHead>('SELECT key, session_key, seq, transient FROM agent_runs_tail WHERE key > ? ORDER BY key'))
  const tailRow = getBy(connection.prepare<[key: number], LogRow>(`${SELECT.replace('e.kind', "''").replace('agent_runs_events', 'agent_runs_tail')} WHERE e.key = (SELECT ?)`))

  return {
    /** Changes with each commit of others. */
    version,
    tail: new TailIndex(version, (key) => [...tailHeads(key)], (key) => tailRow(key) !== undefined),
    tailRow,
    insertTail: keyBy(connection.prepare<[sessionKey: number, runKey: number, seq: number, transient: 0 | 1, json: string]>('INSERT INTO agent_runs_tail (session_key, run_key, seq, transient, json) VALUES (?, ?, ?, ?, ?)')),
    deleteTailRange: changesBy(connection.prepare<[from: number, to: number]>('DELETE FROM agent_runs_tail WHERE key BETWEEN ? AND ?')),
    /** Reads the whole tail, which is small. */
    deleteTailThrough: changesBy(connection.prepare<[sessionKey: number, seq: number]>('DELETE FROM agent_runs_tail WHERE session_key = ? AND seq <= ?')),
    /** What instances have left that are dead: it is in the log, or its session was purged. */
    deleteDeadTail: changesBy(connection.prepare<[]>('DELETE FROM agent_runs_tail WHERE seq <= coalesce((SELECT max(e.seq) FROM agent_runs_events AS e WHERE e.session_key = agent_runs_tail.session_key), seq)')),
    /** Copies rows, by their keys as JSON, into the log as one. */
    copyTail: changesBy(connection.prepare<[sessionKey: number, runKey: number, seq: number, transient: 0 | 1, keys: string]>(`INSERT INTO agent_runs_events (session_key, run_key, seq, kind, transient, json)
      SELECT ?, ?, ?, '', ?, group_concat(c.json, char(10)) FROM (SELECT t.json FROM json_each(?) AS k INNER JOIN agent_runs_tail AS t ON t.key = k.value ORDER BY k.id) AS c`)),

    // The fence of an append: whether the run is running and that instance's. A statement of its own, as an INSERT that selects
    // from the table that it writes to takes 9 µs more.
    isDriven: getBy(connection.prepare<[runKey: number, instanceId: string], [1]>("SELECT 1 FROM agent_runs_runs WHERE key = (SELECT ?) AND status = 'running' AND instance_id = (SELECT ?)")),
    insertEvent: changesBy(connection.prepare<[sessionKey: number, runKey: number, seq: number, kind: string, transient: 0 | 1, json: string]>('INSERT INTO agent_runs_events (session_key, run_key, seq, kind, transient, json) VALUES (?, ?, ?, ?, ?, ?)')),
    rowsAfter: iterateBy(connection.prepare<[sessionKey: number, after: number], LogRow>(`${SELECT} WHERE e.session_key = (SELECT ?) AND e.seq > (SELECT ?) ORDER BY e.seq`)),
    // The row in which that seq is may end behind it.
    durableRowsThrough: iterateBy(connection.prepare<[sessionKey: number, sameKey: number, through: number, sameSeq: number], LogRow>(`${SELECT} WHERE e.session_key = (SELECT ?) AND e.transient = 0
      AND e.seq <= coalesce((SELECT min(n.seq) FROM agent_runs_events AS n WHERE n.session_key = (SELECT ?) AND n.seq >= (SELECT ?)), (SELECT ?)) ORDER BY e.seq DESC`)),
    /** Every row that may hold parts of messages. */
    messageRowsAfter: iterateBy(connection.prepare<[sessionKey: number, after: number], LogRow>(`${SELECT} WHERE e.session_key = (SELECT ?) AND e.seq > (SELECT ?) AND e.kind IN ('', 'text', 'stream_delta', 'thinking', 'thinking_delta') ORDER BY e.seq`)),
    lastSeqInLog: getBy(connection.prepare<[sessionKey: number], [seq: number]>('SELECT coalesce(max(seq), 0) FROM agent_runs_events WHERE session_key = ?')),
    /** The row of an event that has one of its own. */
    rowOf: getBy(connection.prepare<[sessionKey: number, seq: number], LogRow>(`${SELECT} WHERE e.session_key = (SELECT ?) AND e.seq = (SELECT ?)`)),
    /** The row that holds a seq, or the next one, and its key. */
    rowAt: getBy(connection.prepare<[sessionKey: number, seq: number], [key: number, ...LogRow]>(`${SELECT.replace('SELECT', 'SELECT e.key,')} WHERE e.session_key = (SELECT ?) AND e.seq >= (SELECT ?) ORDER BY e.seq LIMIT 1`)),
    /** Where the row of a key is. */
    rowPlace: getBy(connection.prepare<[key: number], [sessionKey: number, seq: number]>('SELECT session_key, seq FROM agent_runs_events WHERE key = ?')),
    newestRow: getBy(connection.prepare<[], [key: number, sessionKey: number, seq: number]>('SELECT key, session_key, seq FROM agent_runs_events ORDER BY key DESC LIMIT 1')),
    deleteRow: changesBy(connection.prepare<[key: number]>('DELETE FROM agent_runs_events WHERE key = ?')),
    rowSizes: iterateBy(connection.prepare<[sessionKey: number, limit: number], [seq: number, bytes: number]>('SELECT seq, octet_length(json) FROM agent_runs_events WHERE session_key = ? ORDER BY seq LIMIT (SELECT ?)')),
    deleteRowsThrough: changesBy(connection.prepare<[sessionKey: number, seq: number]>('DELETE FROM agent_runs_events WHERE session_key = ? AND seq <= ?'))
  }
}
