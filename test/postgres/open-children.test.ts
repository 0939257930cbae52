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
import { until } from './waiting.js'

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

  it('a chain of children, of which each comes in a call of its own', async () => {
    for (const ends of ['before', 'behind'] as const) {
      const [a, b] = await running('a', 'b')
      await bring(childOf([a, b]))
      const chain = ['child', 'second', 'third']
      for (const at of [1, 2]) {
        const after = [{ queue: 'children', id: chain[at - 1] }]
        const next = newJob(chain[at], { queue: 'children', after })
        await store.insert([{ jobs: [next], tx: user }])
      }
      if (ends === 'before') for (const job of [a, b]) await node.settle(job, COMPLETE)
      await user.query('COMMIT')
      if (ends === 'behind') for (const job of [a, b]) await node.settle(job, COMPLETE)
      await node.sweepAll()
      expect(await node.drain({ queue: 'children' })).toEqual(chain)
    }
  })

  it('a child whose parent went to its dead letters meanwhile follows it back', async () => {
    await store.declare('q', { deadLetter: 'dead' })
    const [parent] = await running('parent')
    await bring(childOf([parent]))
    await node.settle(parent, discardAs('letter'))
    await user.query('COMMIT')
    await node.sweepAll()
    expect(await stateOf('child')).toBe('waiting')
    await store.control({ kind: 'retry', queue: 'dead', which: { ids: ['letter'] } }, null)
    expect(await stateOf('child')).toBe('waiting')
    expect(await node.drain()).toHaveLength(1)
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

  it.each([{ concurrency: 5 }, { groups: { concurrency: 1 } }, { order: 'blocking' }] as const)(
    'what waits behind gates and is replaced holds nobody up, and is claimed as it is then (%o)',
    async (settings) => {
      await store.declare('q', settings)
      const words = { unique: unique('k', { onConflict: 'replace' }), group: 'a' } as const
      await store.insert([{ jobs: [newJob('old', words), newJob('beside', { group: 'b' })] }])
      await bring(newJob('new', { ...words, payload: json('new') }))
      expect(await node.drain({ limit: 1 })).toEqual(['beside'])
      const [answers] = await store.insert([{ jobs: [newJob('later', { group: 'b' })] }])
      expect(answers).toEqual([{ status: 'inserted', id: 'later' }])
      const { jobs, nextIn } = await node.claim()
      expect(jobs.map(({ id }) => id)).toEqual(['later'])
      expect(nextIn).toBeGreaterThan(0)
      await node.settle(jobs[0], COMPLETE)
      await user.query('COMMIT')
      expect((await node.claim()).jobs).toMatchObject([{ id: 'old', payload: json('new') }])
    },
  )

  it('a replacement never meets one that has begun, when the key was free then', async () => {
    const words = (payload: number) => ({
      unique: unique('k', { onConflict: 'replace', while: 'waiting' } as const),
      payload: json(payload),
    })
    const last = { asked: 0, ran: 0 }
    const work = async (): Promise<void> => {
      const { jobs } = await node.claim({ limit: 1 })
      for (const job of jobs) {
        last.ran = Math.max(last.ran, Number(job.payload.text))
        await node.settle(job, COMPLETE)
      }
    }
    for (const n of upTo(60)) {
      last.asked = n + 1
      const bringing = async (): Promise<void> => {
        await bring(newJob(`job-${n}`, words(n + 1)))
        await user.query('COMMIT')
      }
      await Promise.all([bringing(), work()])
    }
    while (last.ran < last.asked) await work()
  })

  it('a sweep leaves for later what somebody keeps, and does the rest', async () => {
    const words = { unique: unique('k', { onConflict: 'replace' }) } as const
    await store.insert([{ jobs: [newJob('kept', words), newJob('late', { expiresIn: 1 })] }])
    await bring(childOf([{ queue: 'q', id: 'kept' }]))
    await user.query('COMMIT')
    await bring(newJob('again', { ...words, payload: json('new') }))
    await until(async () => (await node.sweep()).expired === 1)
    expect(await arrivals()).toBe(1)
    await user.query('COMMIT')
    await node.sweepAll()
    expect(await arrivals()).toBe(0)
    expect(await node.drain()).toEqual(['kept'])
    expect(await node.drain({ queue: 'children' })).toEqual(['child'])
  })
})

const FIRST = { limit: 10, cursor: null } as const
