/* A change of what the packages export is seen in review, and has its line in the changelog: "npm run generate" writes it down. */
import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { apiDocument, apiReport } from '../../scripts/generate/api.ts'

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')

test('the packages export what the report of exports says', (t) => {
  t.equal(apiReport(), read('api-report.txt'))
  t.end()
})

test('the reference of the registry says what its comments say', (t) => {
  t.equal(apiDocument(), read('../../docs/api.md'))
  t.end()
})
