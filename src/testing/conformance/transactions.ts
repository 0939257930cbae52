/**
 * Transactions: what is inserted in a user's is there if and only if that commits, and keeps nobody
 * from claiming before; a commit settles its job together with what was inserted in it, once. A store
 * without transactions says so, and does nothing.
 */
import assert from 'node:assert/strict'
import { MillraceError } from '../../job/errors.js'
import type { Inserted, NewJob } from '../../job/lot.js'
import type { Committed, Write } from '../../store.js'
import {
  COMPLETE,
  completeWith,
  discardAs,
  json,
  ranFor,
  refOf,
  settlement,
  unique,
} from './build.js'
import type { Claimed } from '../../job/claim.js'
import type { Group, Laws } from './law.js'
import type { UserTransaction } from './medium.js'
import type { Rig } from './rig.js'

type Begun = (rig: Rig, user: UserTransaction) => Promise<void>

/** For stores with transactions. */
function within(law: Begun): (rig: Rig) => Promise<void> {
  return async (rig) => {
    const user = await rig.begin()
    if (user !== null) await law(rig, user)
  }
}

/** For stores with transactions, without one that is open. */
function where(law: (rig: Rig) => Promise<void>): (rig: Rig) => Promise<void> {
  return async (rig) => {
    if (rig.store.traits.transactions) await law(rig)
  }
}

async function insertIn(rig: Rig, tx: unknown, jobs: readonly NewJob[]) {
  const [answers] = await rig.insertLots([{ jobs, tx }])
  return answers
}

const isIn = (job: NewJob): Inserted => ({ status: 'inserted', id: job.id })

function commit(rig: Rig, held: Claimed, write: Write, verdict = COMPLETE): Promise<Committed> {
  const { signal } = new AbortController()
  return rig.store.commit(settlement(held, verdict, ranFor(verdict)), write, { signal })
}

const DONE = { status: 'done', state: 'completed', deadLetter: null } as const

const laws: Laws = {
  'a store without transactions refuses a commit': async (rig) => {
    if (rig.store.traits.transactions) return
    const ref = await rig.put()
    const node = await rig.node()
    const held = await node.take()
    let called = false
    await assert.rejects(
      commit(rig, held, () => void (called = true)),
      (error) => MillraceError.is(error, 'TX_UNSUPPORTED'),
    )
    assert.equal(called, false)
    assert.equal(await rig.stateOf(ref), 'running')
  },

  'what is no transaction is refused': where(async (rig) => {
    for (const tx of [null, 1, 'tx', {}, []]) {
      await assert.rejects(insertIn(rig, tx, [rig.job()]), (error) => {
        return MillraceError.is(error, 'OPTION_INVALID')
      })
    }
    assert.deepEqual(await rig.list(), [])
  }),

  'a lot is there when its transaction has committed, and not before': within(async (rig, user) => {
    const jobs = [rig.job(), rig.job({ group: 'g', priority: 5 }), rig.job({ task: 'other' })]
    assert.deepEqual(await insertIn(rig, user.tx, jobs), jobs.map(isIn))
    if (user.isAlone !== true) assert.deepEqual(await rig.list(), [])
    await user.commit()
    const node = await rig.node()
    const { jobs: got } = await node.claim()
    assert.deepEqual(
      got.map(({ id }) => id),
      [jobs[1].id, jobs[0].id, jobs[2].id],
    )
  }),

  'it is never there when its transaction was rolled back': within(async (rig, user) => {
    await insertIn(rig, user.tx, [
      rig.job({ queue: 'new', task: 'new' }),
      rig.job({ unique: unique('k') }),
    ])
    await user.rollBack()
    assert.deepEqual([await rig.list(), await rig.list('new')], [[], []])
    // Neither a queue, a lane, nor a key is left behind that nobody finds.
    const [again, other] = [
      rig.job({ queue: 'new', task: 'new' }),
      rig.job({ unique: unique('k') }),
    ]
    assert.deepEqual(await rig.insert([again, other]), [isIn(again), isIn(other)])
    const node = await rig.node()
    assert.equal((await node.take({ queue: 'new' })).id, again.id)
    assert.equal((await node.take()).id, other.id)
  }),

  'its time counts as ever: what is delayed waits, what expires expires': within(
    async (rig, user) => {
      const [later, short] = [rig.job({ delay: 5_000 }), rig.job({ expiresIn: 1_000 })]
      await insertIn(rig, user.tx, [later, short])
      await user.commit()
      assert.equal(await rig.stateOf(later), 'scheduled')
      assert.equal(await rig.stateOf(short), 'available')
      await rig.clock.advance(2_000)
      const node = await rig.node()
      assert.equal((await node.sweepAll()).expired, 1)
      assert.deepEqual((await node.claim()).jobs, [])
      await rig.clock.advance(3_000)
      assert.equal((await node.take()).id, later.id)
    },
  ),

  'ids, keys and parents are met as ever': within(async (rig, user) => {
    const taken = rig.job({ id: 'own' })
    const [first, twice] = [rig.job({ unique: unique('k') }), rig.job({ unique: unique('k') })]
    const child = rig.job({ after: [{ queue: 'q', id: first.id }] })
    const answers = await insertIn(rig, user.tx, [taken, taken, first, twice, child])
    assert.deepEqual(answers, [
      isIn(taken),
      { status: 'duplicate', id: 'own' },
      isIn(first),
      { status: 'duplicate', id: first.id },
      { ...isIn(child), state: 'waiting' },
    ])
    await user.commit()
    const node = await rig.node()
    assert.deepEqual(await node.drain(), [taken.id, first.id, child.id])
  }),

  'a child in it knows how its parents ended, behind the commit and a sweep': where(async (rig) => {
    const [first, last] = [await rig.put(), await rig.put()]
    const node = await rig.node()
    const { jobs } = await node.claim()
    const user = await rig.begin()
    assert.ok(user !== null)
    const child = rig.job({ queue: 'children', after: [first, last] })
    const [answer] = await insertIn(rig, user.tx, [child])
    assert.deepEqual(answer, { ...isIn(child), state: 'waiting' })
    await user.commit()
    await node.settle(jobs[0], completeWith('first'))
    await node.sweepAll()
    assert.equal(await rig.stateOf(child), 'waiting')
    await node.settle(jobs[1], completeWith('last'))
    assert.deepEqual(await node.drain({ queue: 'children' }), [child.id])
  }),

  'a child in it falls with a parent that failed, behind the commit and a sweep': where(
    async (rig) => {
      await rig.put()
      const node = await rig.node()
      const parent = await node.take()
      const user = await rig.begin()
      assert.ok(user !== null)
      const words = {
        queue: 'children',
        after: [refOf(parent)],
        onParentFailed: 'discard',
      } as const
      const [child, waiting] = [rig.job(words), rig.job({ ...words, onParentFailed: 'wait' })]
      await insertIn(rig, user.tx, [child, waiting])
      await user.commit()
      await node.settle(parent, discardAs('d'))
      await node.sweepAll()
      assert.equal(await rig.stateOf(child), 'discarded')
      assert.equal(await rig.stateOf(waiting), 'waiting')
      await rig.control({ kind: 'retry', queue: 'children', which: { ids: [waiting.id] } })
      assert.deepEqual(await node.drain({ queue: 'children' }), [waiting.id])
    },
  ),

  'a unique job that is replaced is the new one behind the commit': where(async (rig) => {
    const old = await rig.put({ unique: unique('k') })
    const user = await rig.begin()
    assert.ok(user !== null)
    const words = unique('k', { onConflict: 'replace' })
    const [answer] = await insertIn(rig, user.tx, [
      rig.job({ unique: words, payload: json('new') }),
    ])
    assert.deepEqual(answer, { status: 'replaced', id: old.id })
    await user.commit()
    const held = await (await rig.node()).take()
    assert.deepEqual([held.id, held.payload], [old.id, json('new')])
  }),

  'all of a lot or none: a refusal leaves the transaction as it was': within(async (rig, user) => {
    const before = rig.job()
    await insertIn(rig, user.tx, [before])
    const parent = { queue: 'q', id: 'nobody' }
    const answers = await insertIn(rig, user.tx, [rig.job(), rig.job({ after: [parent] })])
    assert.deepEqual(answers, [
      { status: 'withdrawn' },
      { status: 'refused', code: 'PARENT_UNKNOWN', parent },
    ])
    await user.commit()
    assert.deepEqual(
      (await rig.list()).map(({ id }) => id),
      [before.id],
    )
  }),

  'a limited backlog counts what the transaction sees': where(async (rig) => {
    await rig.declare({ limits: { backlog: 2 } })
    await rig.put()
    const user = await rig.begin()
    assert.ok(user !== null)
    await insertIn(rig, user.tx, [rig.job()])
    const [answer] = await insertIn(rig, user.tx, [rig.job()])
    assert.deepEqual(answer, { status: 'refused', code: 'QUEUE_FULL', limit: 2 })
    await user.commit()
    assert.equal((await rig.list()).length, 2)
  }),

  'gates hold for what came in a transaction': where(async (rig) => {
    await rig.declare({ groups: { concurrency: 1 } })
    const user = await rig.begin()
    assert.ok(user !== null)
    const jobs = [rig.job({ group: 'a' }), rig.job({ group: 'a' }), rig.job({ group: 'b' })]
    await insertIn(rig, user.tx, jobs)
    await user.commit()
    const node = await rig.node()
    const { jobs: got } = await node.claim()
    assert.deepEqual(
      got.map(({ id }) => id),
      [jobs[0].id, jobs[2].id],
    )
    await node.settle(got[0], COMPLETE)
    assert.equal((await node.take()).id, jobs[1].id)
  }),

  'a commit settles its job and brings what was inserted in it': where(async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    const held = await node.take()
    const next = rig.job({ task: 'next' })
    const answer = await commit(rig, held, async (tx) => {
      assert.deepEqual(await insertIn(rig, tx, [next]), [isIn(next)])
    })
    assert.deepEqual(answer, { settled: DONE, happened: [] })
    assert.equal(await rig.stateOf(ref), 'gone')
    assert.equal((await node.take()).id, next.id)
  }),

  'a result is kept with it': where(async (rig) => {
    await rig.declare({ keep: { completed: { count: 10, for: Infinity } } })
    const ref = await rig.put()
    const node = await rig.node()
    const held = await node.take()
    await commit(rig, held, () => undefined, completeWith('so'))
    assert.deepEqual((await rig.view(ref)).result, json('so'))
  }),

  'a throw takes all of it back, and the job is held as before': where(async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    const held = await node.take()
    const failure = new Error('changed my mind')
    const failed = commit(rig, held, async (tx) => {
      await insertIn(rig, tx, [rig.job()])
      throw failure
    })
    await assert.rejects(failed, (error) => error === failure)
    assert.equal((await rig.list()).length, 1)
    assert.equal(await rig.stateOf(ref), 'running')
    assert.deepEqual(await node.settle(held, COMPLETE), DONE)
  }),

  'a dead token is lost, and its function is not called': where(async (rig) => {
    await rig.put()
    const node = await rig.node()
    const held = await node.take()
    await node.settle(held, { kind: 'release' })
    const again = await node.take()
    let calls = 0
    const write = (): void => void calls++
    assert.deepEqual((await commit(rig, held, write)).settled, { status: 'lost' })
    assert.equal(calls, 0)
    assert.deepEqual((await commit(rig, again, write)).settled, DONE)
    assert.equal(calls, 1)
  }),

  'a job that was completed otherwise was not committed': where(async (rig) => {
    await rig.put()
    const node = await rig.node()
    const held = await node.take()
    assert.deepEqual(await node.settle(held, COMPLETE), DONE)
    const { settled } = await commit(rig, held, () => assert.fail('its job has ended'))
    assert.deepEqual(settled, { status: 'lost' })
  }),

  'a lot that its function did not await is refused, and nothing of it is there': where(
    async (rig) => {
      await rig.put()
      const node = await rig.node()
      const held = await node.take()
      const late: Promise<unknown>[] = []
      const write = (tx: unknown): never => {
        late.push(insertIn(rig, tx, [rig.job({ queue: 'late' })]))
        throw new Error('and that was it')
      }
      await assert.rejects(commit(rig, held, write), /that was it/)
      await assert.rejects(late[0], (error) => MillraceError.is(error, 'OPTION_INVALID'))
      assert.deepEqual(await rig.list('late'), [])
    },
  ),

  'a repeat is answered as the first time, and does nothing': where(async (rig) => {
    await rig.put()
    const node = await rig.node()
    const held = await node.take()
    const next = rig.job({ task: 'next' })
    const first = await commit(rig, held, async (tx) => void (await insertIn(rig, tx, [next])))
    const repeat = await commit(rig, held, () => assert.fail('it was done already'))
    assert.deepEqual(repeat.settled, first.settled)
    assert.deepEqual(await node.drain(), [next.id])
  }),

  'of commits at once one takes effect': where(async (rig) => {
    await rig.put()
    const node = await rig.node()
    const held = await node.take()
    const other = await rig.connect()
    const { signal } = new AbortController()
    const one = settlement(held, COMPLETE, ranFor(COMPLETE))
    let calls = 0
    const both = [rig.store, other].map((store) =>
      store.commit(one, () => void calls++, { signal }),
    )
    const answers = await Promise.all(both)
    assert.deepEqual(
      answers.map(({ settled }) => settled),
      [DONE, DONE],
    )
    assert.equal(calls, 1)
  }),

  'what a job says while it writes is kept with its completion, and what it throttles rests': where(
    async (rig) => {
      await rig.declare({ keep: { completed: { count: Infinity, for: Infinity } } })
      const [id] = await rig.putMany(2)
      const node = await rig.node()
      const held = await node.take()
      const one = settlement(held, COMPLETE, ranFor(COMPLETE))
      const throttles = [{ what: 'queue', delay: 30_000 } as const]
      const note = { queue: 'q', id, token: held.token, progress: 0.5, log: ['charged'], throttles }
      const { signal } = new AbortController()
      let isWritten = false
      const write = (): void => void (isWritten = true)
      const said = () => (isWritten ? note : null)
      const { settled } = await rig.store.commit(one, write, { signal, said })
      assert.deepEqual(settled, DONE)
      const { progress, log } = await rig.view({ queue: 'q', id })
      assert.deepEqual([progress, log], [0.5, ['charged']])
      assert.equal((await node.claim()).jobs.length, 0)
      await rig.clock.advance(30_000)
      assert.equal((await node.claim()).jobs.length, 1)
    },
  ),

  'when its attempt is over, what is not committed is taken back': where(async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    const held = await node.take()
    const controller = new AbortController()
    const over = new Error('its time is up')
    const one = settlement(held, COMPLETE, ranFor(COMPLETE))
    const failed = rig.store.commit(
      one,
      async (tx) => {
        await insertIn(rig, tx, [rig.job()])
        controller.abort(over)
        await new Promise(() => undefined)
      },
      { signal: controller.signal },
    )
    await assert.rejects(failed, (error) => error === over)
    assert.equal((await rig.list()).length, 1)
    assert.equal(await rig.stateOf(ref), 'running')
    assert.equal((await node.settle(held, COMPLETE)).status, 'done')
  }),
}

export const transactions: Group = { title: 'transactions', laws }
