// A page of groups walks through its queue as often for many groups as for one: the walk holds up the event
// loop, and a queue may be long.
import { afterAll, expect, it } from 'vitest'
import { openableSqliteStore } from '../../src/stores/sqlite/sqlite-store.js'
import { newJob, QUEUE, upTo } from '../../src/testing/conformance/build.js'
import { betterHandle } from './better-handle.js'

const asked: string[] = []
const handle = betterHandle(':memory:')
const prepare = handle.prepare.bind(handle)
/** Keeps what is asked of the jobs. */
handle.prepare = (sql) => {
  const statement = prepare(sql)
  const all = statement.all.bind(statement)
  statement.all = (...params) => {
    if (/FROM millrace_jobs/.test(sql)) asked.push(sql)
    return all(...params)
  }
  return statement
}
afterAll(() => handle.close())

it.each([1, 40])('a page of %i groups', async (limit) => {
  const store = openableSqliteStore({ database: handle }, {})
  await store.open({ scope: `page of ${limit}` })
  const jobs = upTo(120).map((n) => newJob(`job-${n}`, { group: `group-${100 + (n % 60)}` }))
  await store.insert([{ jobs }])
  asked.length = 0
  const { items } = await store.groups(QUEUE, { cursor: null, limit })
  expect(items.map(({ counts }) => counts.available)).toEqual(upTo(limit).map(() => 2))
  // The names, and how many jobs each has.
  expect(asked).toHaveLength(2)
  await store.close()
})
