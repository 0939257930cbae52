// A completion with a result in one trip: its receipt is that of the longer way, word for word.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it, vi } from 'vitest'
import { openFile } from '../../src/stores/sqlite/driver.js'
import { Plainly } from '../../src/stores/sqlite/plainly.js'
import { openableSqliteStore } from '../../src/stores/sqlite/sqlite-store.js'
import { COMPLETE, newJob, settlement, unique, upTo } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { VirtualClock } from '../../src/time/virtual.js'

const folder = mkdtempSync(join(tmpdir(), 'results-'))
afterAll(() => rmSync(folder, { recursive: true }))

it('what says more than its row is not tried in one trip', async () => {
  const store = openableSqliteStore({ path: join(folder, 'apart.db') }, {})
  await store.open({ scope: 'default' })
  const node = await PlayedNode.enlist(store, cardOf('node'))
  await store.insert([{ jobs: [newJob('first')] }])
  await node.settleAll(
    (await node.claim({ limit: 1 })).jobs.map((job) => settlement(job, COMPLETE)),
  )
  await store.insert([{ jobs: [newJob('plain'), newJob('keyed', { unique: unique('k') })] }])
  const { jobs } = await node.claim({ limit: 2 })
  const complete = vi.spyOn(Plainly.prototype, 'complete')
  const result = { text: '1', codec: 'json' } as const
  const settled = await node.settleAll(
    jobs.map((job) => settlement(job, { kind: 'complete', result })),
  )
  expect(settled).toMatchObject([{ state: 'completed' }, { state: 'completed' }])
  expect(complete.mock.calls.map(([{ ids }]) => ids)).toEqual([['plain']])
  await store.close()
})

it('a result leaves the same receipt in one trip and the longer way', async () => {
  const path = join(folder, 'jobs.db')
  const store = openableSqliteStore({ path }, { clock: new VirtualClock() })
  await store.open({ scope: 'default' })
  const other = await openFile(path)
  const node = await PlayedNode.enlist(store, cardOf('node'))
  const own = { ownId: true }
  await store.insert([{ jobs: [newJob('first')] }])
  const jobs = [newJob('plain'), newJob('own', own), newJob('plain-too'), newJob('own-too', own)]
  await store.insert([{ jobs }])
  const claimed = (await node.claim({ limit: 5 })).jobs
  const answered = claimed.map((job) =>
    settlement(job, { kind: 'complete', result: { text: `"it's ${'\\u0000'}"`, codec: 'json' } }),
  )
  await node.settleAll(answered.slice(0, 1)) // the queue is known from now on
  await node.settleAll(answered.slice(1, 3))
  // Twice in one call is nothing for one trip.
  const twice = answered.slice(3)
  const done = { status: 'done', state: 'completed', deadLetter: null }
  expect(await node.settleAll([...twice, ...twice])).toEqual(upTo(4).map(() => done))
  expect(await node.settleAll(answered)).toEqual(upTo(5).map(() => done))
  const text = `
    SELECT flags, state, task, grp, priority, crashes, attempt, max_attempts, place, due, inserted_at,
           since, token, node, worker, claim, lane, expires, payload, codec, spec, extra
    FROM millrace_jobs WHERE queue > 0 ORDER BY seq`
  const [, ...rows] = other.prepare(text).all([])
  expect(rows[0]).toMatchObject({ state: 8, attempt: 1, payload: null })
  expect(rows.slice(0, 2)).toEqual(rows.slice(2))
  const [body] = other
    .prepare('SELECT body FROM millrace_settled ORDER BY at, id LIMIT 1 OFFSET 1')
    .all([])
  expect(JSON.parse(String(body.body))).toMatchObject({ plain: [[2, 3]], rest: [] })
  other.close()
  await store.close()
})
