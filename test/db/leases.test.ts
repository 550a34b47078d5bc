import { test } from 'tap'
import { Leases } from '../../db/sqlite/leases.ts'

function build (leaseMs = 30) {
  let now = 1_000
  const leases = new Leases(leaseMs, () => now)
  return { leases, look: (ms: number, counters: Record<string, number>) => { now += ms; return [...leases.observe(new Map(Object.entries(counters)))] } }
}

test('an instance is dead once its counter has stood still for a lease of looks', async (t) => {
  const { look } = build()
  t.strictSame([look(10, { a: 1, b: 1 }), look(10, { a: 1, b: 2 }), look(10, { a: 1, b: 3 }), look(10, { a: 1, b: 4 })], [[], [], [], ['a']])
})

test('a gap between two looks counts as a third of a lease: after an outage nobody is dead at the first look', async (t) => {
  const { look } = build()
  t.strictSame([look(0, { a: 1, b: 1 }), look(1e6, { a: 1, b: 1 }), look(10, { a: 2, b: 1 }), look(1e6, { a: 3, b: 1 })], [[], [], [], ['b']])
})

test('a look that failed starts the count anew', async (t) => {
  const { leases, look } = build()
  look(10, { a: 1 })
  look(10, { a: 1 })
  leases.missed()
  t.equal(leases.isAnyStill, false)
  t.strictSame([look(10, { a: 1 }), look(10, { a: 1 }), look(10, { a: 1 }), look(10, { a: 1 })], [[], [], [], ['a']])
})
