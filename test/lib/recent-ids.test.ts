import { test } from 'tap'
import { RecentIds } from '../../lib/common/recent-ids.ts'

test('the newest ids are known, and no more than so many', (t) => {
  const ids = new RecentIds(2)
  for (const id of ['a', 'b', 'c']) ids.add(id)
  t.strictSame(['a', 'b', 'c'].map((id) => ids.has(id)), [false, true, true])
  t.end()
})
