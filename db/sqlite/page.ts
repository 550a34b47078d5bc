/* Pages: bounded in rows and in bytes. */
import type { PageLimit } from '../../lib/store/store.ts'

/** The first rows within a limit, at least one, and whether there are more. Stops reading there. */
export function takePage<Row> (rows: Iterable<Row>, limit: PageLimit, bytesOf: (row: Row) => number): { items: Row[], more: boolean } {
  const items: Row[] = []
  let bytes = 0
  for (const row of rows) {
    if (items.length === limit.rows || bytes >= limit.bytes) return { items, more: true }
    bytes += bytesOf(row)
    items.push(row)
  }
  return { items, more: false }
}
