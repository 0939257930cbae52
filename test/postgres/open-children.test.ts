// A child that comes in a transaction of the user's, which stays open: nobody waits for it, and however its
// parents end meanwhile, it knows behind the commit.
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openablePostgresStore } from '../../src/stores/postgres/postgres-store.js'
import type { Claimed } from '../../src/job/claim.js'
import type { JobRef } from '../../src/job/job.js'
import type { NewJob } from '../../src/job/lot.js'
import type { Store } from '../../src/store.js'
import {
  COMPLETE,
  completeWith,
  discardAs,
  json,
  newJob,
  refOf,
  RELEASE,
  unique,
  upTo,
} from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { sharedPostgres } from '../servers/postgres.js'
import { somebodyWaits } from './waiting.js'

const server = await sharedPostgres()

describe.skipIf(server.isMissing)(`in an open transaction${server.why}`, () => {
  let url: string
  let user: pg.Client
  let store: Store
  let node: PlayedNode

  beforeEach(async () => {
    url = await server.database()
    store = openablePostgresStore({ url }, {})
    await store.open({ scope: 'default' })
    user = new pg.Client({ connectionString: url })
    await user.connect()
    node = await PlayedNode.enlist(store, cardOf('node'))
  })
  afterEach(async () => {
    await user.end()
    await store.close()
  })

  /** Held by the node: in a handful, where the queue was claimed before. */
  async function running(...ids: string[]): Promise<Claimed[]> {
    await store.insert([{ jobs: [newJob('warm')] }])
    await node.drain()
    await store.insert([{ jobs: ids.map((id) => newJob(id)) }])
    const { jobs } = await node.claim()
    expect(jobs.map(({ id }) => id)).toEqual(ids)
    return [...jobs]
  }

  async function bring(...jobs: NewJob[]): Promise<void> {
    await user.query('BEGIN')
    await store.insert([{ jobs, tx: user }])
  }

  function childOf(parents: readonly JobRef[], words: Partial<NewJob> = {}): NewJob {
    return newJob('child', { queue: 'children', after: parents.map(refOf), ...words })
  }

  async function stateOf(id: string): Promise<string | undefined> {
    const [found] = await store.get([{ queue: 'children', id }])
    return found?.kind === 'job' ? found.job.state : undefined
  }

  async function arrivals(): Promise<number> {
    return (await user.query('SELECT FROM millrace.arrivals')).rows.length
  }

  it('a child holds nobody up: who completes, claims, counts, lists, cancels and sweeps', async () => {
    const [parent, other] = await running('parent', 'other')
    await bring(childOf([parent]))
    expect(await node.settle(parent, completeWith('done'))).toMatchObject({ status: 'done' })
    expect(await node.settle(other, RELEASE)).toMatchObject({ status: 'done' })
    const second = openablePostgresStore({ url }, {})
    await second.open({ scope: 'default' })
    const theirs = await PlayedNode.enlist(second, cardOf('theirs'))
    expect(await theirs.drain()).toEqual(['other'])
    expect((await second.list({ queue: 'q', which: {}, page: FIRST })).items).toEqual([])
    await theirs.sweepAll()
    await second.close()
    await user.query('COMMIT')
    await node.sweepAll()
    expect(await store.parents({ queue: 'children', id: 'child' })).toMatchObject([
      { id: 'parent', state: 'completed', result: json('done') },
    ])
    expect(await node.drain({ queue: 'children' })).toEqual(['child'])
    expect(await arrivals()).toBe(0)
  })

  it('a child goes on by itself, when it was looked at before its parents ended', async () => {
    const parents = await running('a', 'b')
    await bring(childOf(parents))
    await user.query('COMMIT')
    await node.sweepAll()
    await node.settle(parents[0], COMPLETE)
    expect(await stateOf('child')).toBe('waiting')
    await node.settle(parents[1], COMPLETE)
    expect(await stateOf('child')).toBe('available')
  })

  it.each([
    ['discard', 'discarded'],
    ['wait', 'waiting'],
    ['run', 'available'],
  ] as const)(
    'a child whose parent failed meanwhile does as it was told: %s',
    async (onParentFailed, state) => {
      const [parent] = await running('parent')
      await bring(childOf([parent], { onParentFailed }))
      await node.settle(parent, discardAs('dead'))
      await user.query('COMMIT')
      const { happened } = await node.sweepAll()
      expect(await stateOf('child')).toBe(state)
      expect(happened.map(({ kind }) => kind)).toEqual(
        state === 'discarded' ? ['parent-failed'] : [],
      )
    },
  )

  it('a child whose parent failed and was retried meanwhile waits for that', async () => {
    const [parent] = await running('parent')
    await node.settle(parent, discardAs('dead'))
    await bring(childOf([parent]))
    const which = { ids: ['parent'] }
    await store.control({ kind: 'retry', queue: 'q', which }, null)
    await user.query('COMMIT')
    await node.sweepAll()
    expect(await stateOf('child')).toBe('waiting')
    expect(await node.drain()).toEqual(['parent'])
    expect(await stateOf('child')).toBe('available')
  })

  it('a child of a job that came in the same transaction, in another call', async () => {
    await bring(newJob('mother'))
    await store.insert([{ jobs: [childOf([{ queue: 'q', id: 'mother' }])], tx: user }])
    await user.query('COMMIT')
    await node.sweepAll()
    expect(await node.drain()).toEqual(['mother'])
    expect(await node.drain({ queue: 'children' })).toEqual(['child'])
  })

  it('a child whose transaction is older than the end of its parent', async () => {
    const [parent] = await running('parent')
    await user.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    await user.query('SELECT FROM millrace.jobs')
    await node.settle(parent, COMPLETE)
    await store.insert([{ jobs: [childOf([parent])], tx: user }])
    await user.query('COMMIT')
    await node.sweepAll()
    expect(await node.drain({ queue: 'children' })).toEqual(['child'])
  })

  it('nothing is left of a child that was rolled back', async () => {
    const [parent] = await running('parent')
    await bring(childOf([parent]))
    await user.query('ROLLBACK')
    expect(await node.settle(parent, COMPLETE)).toMatchObject({ status: 'done' })
    expect(await arrivals()).toBe(0)
  })

  it('a child is let go however its parent, its commit and a sweep come together', async () => {
    for (const n of upTo(40)) {
      const id = `parent-${n}`
      const [parent] = await running(id)
      await bring(childOf([parent], {}))
      const steps = [
        () => user.query('COMMIT'),
        () => node.settle(parent, n % 2 === 0 ? COMPLETE : completeWith(n)),
        () => node.sweep(),
      ]
      // Each order in its turn, and all at once.
      const order = upTo(3).map((at) => steps[(at * (1 + (n % 2)) + Math.floor(n / 2)) % 3])
      if (n % 4 < 2) for (const step of order) await step()
      else await Promise.all(order.map((step) => step()))
      await node.sweepAll()
      expect(await node.drain({ queue: 'children' })).toEqual(['child'])
    }
  })

  it('a key that somebody has is met, and he goes on', async () => {
    await store.insert([{ jobs: [newJob('holder', { unique: unique('k') })] }])
    const [holder] = (await node.claim()).jobs
    await user.query('BEGIN')
    for (const onConflict of ['keep', 'replace'] as const) {
      const job = newJob(onConflict, { unique: unique('k', { onConflict }) })
      const [answers] = await store.insert([{ jobs: [job], tx: user }])
      expect(answers).toEqual([{ status: 'duplicate', id: 'holder' }])
    }
    const [same] = await store.insert([{ jobs: [newJob('holder')], tx: user }])
    expect(same).toEqual([{ status: 'duplicate', id: 'holder' }])
    expect(await node.settle(holder, COMPLETE)).toMatchObject({ status: 'done' })
    await user.query('COMMIT')
  })

  it('what waits and is replaced is claimed behind the commit, as it is then', async () => {
    const words = { unique: unique('k', { onConflict: 'replace' }) } as const
    await store.insert([{ jobs: [newJob('old', words), newJob('beside')] }])
    await bring(newJob('new', { ...words, payload: json('new') }))
    // One at a time: what is held stands first.
    expect(await node.drain({ limit: 1 })).toEqual(['beside'])
    await user.query('COMMIT')
    expect((await node.claim()).jobs).toMatchObject([{ id: 'old', payload: json('new') }])
  })

  it('who claims behind gates waits for what is replaced, and gets it as it is then', async () => {
    await store.declare('q', { concurrency: 5 })
    const words = { unique: unique('k', { onConflict: 'replace' }) } as const
    await store.insert([{ jobs: [newJob('old', words)] }])
    await bring(newJob('new', { ...words, payload: json('new') }))
    const claimed = node.claim()
    await somebodyWaits(user)
    await user.query('COMMIT')
    expect((await claimed).jobs).toMatchObject([{ id: 'old', payload: json('new') }])
  })
})

const FIRST = { limit: 10, cursor: null } as const
