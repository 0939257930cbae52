// A lot that meets an id or a unique key of a transaction which is open: only it waits.
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openablePostgresStore } from '../../src/stores/postgres/postgres-store.js'
import type { NewJob } from '../../src/job/lot.js'
import type { Store } from '../../src/store.js'
import { newJob, unique, upTo } from '../../src/testing/conformance/build.js'
import { sharedPostgres } from '../servers/postgres.js'

const server = await sharedPostgres()

describe.skipIf(server.isMissing)(`lots beside an open transaction${server.why}`, () => {
  let user: pg.Client
  let store: Store

  beforeEach(async () => {
    const url = await server.database()
    store = openablePostgresStore({ url }, {})
    await store.open({ scope: 'default' })
    user = new pg.Client({ connectionString: url })
    await user.connect()
  })
  afterEach(async () => {
    await user.end()
    await store.close()
  })

  const own = (id: string): NewJob => newJob(id, { ownId: true })
  const keyed = (id: string): NewJob => newJob(id, { unique: unique('k') })
  const isIn = (id: string) => [{ status: 'inserted', id }]

  it.each([
    ['an id', own('mine'), own('mine')],
    ['a unique key', keyed('theirs'), keyed('mine')],
  ])('waits alone for %s', async (_, theirs, mine) => {
    // The second time the queue is known, and alike jobs go in one statement.
    for (const first of ['a', 'b']) {
      await user.query('BEGIN')
      await store.insert([{ jobs: [theirs], tx: user }])
      const others = [newJob(`${first}-1`), newJob(`${first}-2`, { queue: 'other' })]
      const lots = [others[0], mine, others[1]].map((job) => ({ jobs: [job] }))
      expect(await store.insert(lots)).toEqual([isIn(`${first}-1`), null, isIn(`${first}-2`)])
      expect(await store.insert([{ jobs: [mine] }])).toEqual([null])
      await user.query('ROLLBACK')
    }
    expect(await store.insert([{ jobs: [mine] }])).toEqual([isIn(mine.id)])
  })

  it('a lot is all or none, and beyond a few that are held the rest are asked for again', async () => {
    await user.query('BEGIN')
    await store.insert([{ jobs: upTo(5).map((n) => own(`held-${n}`)), tx: user }])
    const lots = [
      { jobs: [newJob('with'), own('held-0')] },
      ...upTo(4).map((n) => ({ jobs: [own(`held-${n + 1}`)] })),
      { jobs: [newJob('last')] },
    ]
    expect(await store.insert(lots)).toEqual(lots.map(() => null))
    await user.query('COMMIT')
    const answers = await store.insert(lots)
    expect(answers.slice(1, 5)).toEqual(
      upTo(4).map((n) => [{ status: 'duplicate', id: `held-${n + 1}` }]),
    )
    expect(answers[0]).toEqual([isIn('with')[0], { status: 'duplicate', id: 'held-0' }])
  })

  it('waits for a queue that somebody makes in SQL, and others do not', async () => {
    await user.query('BEGIN')
    await user.query(`SELECT millrace.enqueue('fresh', '1')`)
    const lots = [{ jobs: [newJob('a', { queue: 'fresh' })] }, { jobs: [newJob('b')] }]
    expect(await store.insert(lots)).toEqual([null, isIn('b')])
    await user.query('COMMIT')
    expect(await store.insert(lots.slice(0, 1))).toEqual([isIn('a')])
  })
})
