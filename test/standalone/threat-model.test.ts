import { existsSync, readFileSync } from 'node:fs'
import { test } from 'tap'

const ROOT = new URL('../../', import.meta.url)

test('what stops an attack in docs/security.md has a test that is there', (t) => {
  const [, model] = /## Threat model\n(.*?)\n### /s.exec(readFileSync(new URL('docs/security.md', ROOT), 'utf8'))!
  const rows = model!.split('\n').filter((line) => line.startsWith('| ')).slice(2).map((line) => line.split('|').map((cell) => cell.trim()))
  t.ok(rows.length > 30, `${rows.length} rows`)
  for (const [, , attack = '', defence = '', tests = ''] of rows) {
    t.ok(attack !== '' && defence !== '', attack)
    const names = [...tests.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)
    t.ok(names.length > 0, `${attack}: a test`)
    for (const name of names) t.ok(existsSync(new URL(`test/${name}.test.ts`, ROOT)) || existsSync(new URL(`test/${name}/`, ROOT)), name)
  }
  t.end()
})
