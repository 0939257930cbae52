/**
 * Laws 6, 8 and 9: at most one live token a job, tokens only grow, a dead one changes nothing, and
 * repeating a settle is harmless, since its answer may have been lost on the way.
 */
import assert from 'node:assert/strict'
import type { Claimed, TokenText } from '../../job/claim.js'
import type { Verdict } from '../../job/verdict.js'
import {
  cancelFor,
  COMPLETE,
  completeWith,
  discardAs,
  json,
  RELEASE,
  retryIn,
  settlement,
  snoozeFor,
  upTo,
} from './build.js'
import type { Group, Laws } from './law.js'
import { LEASE } from './played-node.js'
import type { Rig } from './rig.js'

const FOR_EVER = { count: Infinity, for: Infinity }
const KEEP_ALL = { completed: FOR_EVER, cancelled: FOR_EVER, discarded: FOR_EVER }

/** The later of two tokens is the greater: longer, or of one length and later in the alphabet. */
export function isLater(later: TokenText, earlier: TokenText): boolean {
  return later.length === earlier.length ? later > earlier : later.length > earlier.length
}

const EVERY_VERDICT: readonly Verdict[] = [
  COMPLETE,
  completeWith('late'),
  retryIn(0),
  retryIn(10),
  snoozeFor(0),
  snoozeFor(10),
  RELEASE,
  cancelFor('late'),
  discardAs('late-dead'),
]

/** Every verdict by a dead token, and a note: all lost, and the job is as it was. */
async function changesNothing(rig: Rig, dead: Claimed): Promise<void> {
  const before = await rig.found(dead)
  const node = await rig.node()
  for (const verdict of EVERY_VERDICT) {
    assert.deepEqual(await node.settle(dead, verdict), { status: 'lost' }, verdict.kind)
  }
  const { queue, id, token } = dead
  const note = { queue, id, token, progress: 0.9, log: ['late'] }
  assert.deepEqual(await rig.store.note([note]), ['lost'])
  assert.deepEqual(await rig.found(dead), before)
}

const laws: Laws = {
  'tokens of one job only grow': async (rig) => {
    await rig.put({ attempts: 200 })
    const node = await rig.node()
    let last: TokenText | null = null
    for (const turn of upTo(120)) {
      const held = await node.take()
      if (last !== null) assert.ok(isLater(held.token, last), `${held.token} after ${last}`)
      last = held.token
      await node.settle(held, [retryIn(0), RELEASE, snoozeFor(0)][turn % 3])
    }
  },

  'tokens grow over sweeps and an operator’s retry, too': async (rig) => {
    await rig.put({ attempts: 2 })
    const lost = await rig.node()
    const first = await lost.take()
    await rig.clock.advance(LEASE + 1)
    const node = await rig.node()
    await node.sweepAll()
    const second = await node.take()
    assert.ok(isLater(second.token, first.token))
    await node.settle(second, retryIn(0))
    await rig.control({ kind: 'retry', queue: 'q', which: {} })
    const third = await node.take()
    assert.ok(isLater(third.token, second.token))
  },

  'no two jobs of one claim share a token': async (rig) => {
    await rig.putMany(200)
    const { jobs } = await (await rig.node()).claim({ limit: 200 })
    assert.equal(new Set(jobs.map((job) => job.token)).size, 200)
  },

  'a running job is not given again, to nobody': async (rig) => {
    await rig.put()
    const node = await rig.node()
    await node.take()
    const others = [node, await rig.node(), await rig.node(await rig.connect())]
    for (const other of others) {
      for (const alone of [false, true]) assert.deepEqual((await other.claim({ alone })).jobs, [])
    }
  },

  'a token dies at its verdict, and then changes nothing': async (rig) => {
    await rig.declare({ keep: KEEP_ALL })
    const node = await rig.node()
    for (const verdict of [completeWith(1), retryIn(60_000), snoozeFor(60_000), cancelFor()]) {
      await rig.put()
      const held = await node.take()
      await node.settle(held, verdict)
      const other = EVERY_VERDICT.filter((one) => one.kind !== verdict.kind)
      const before = await rig.found(held)
      for (const late of other) {
        assert.deepEqual(await node.settle(held, late), { status: 'lost' }, late.kind)
      }
      assert.deepEqual(await rig.found(held), before)
    }
  },

  'a token dies at sweep, and then changes nothing, whoever holds the job now': async (rig) => {
    await rig.put()
    const dead = await (await rig.node()).take()
    await rig.clock.advance(LEASE + 1)
    const node = await rig.node()
    await node.sweepAll()
    await changesNothing(rig, dead)
    await node.take()
    await changesNothing(rig, dead)
  },

  'a token dies when its node leaves': async (rig) => {
    await rig.put()
    const node = await rig.node()
    const dead = await node.take()
    await node.leave()
    await changesNothing(rig, dead)
  },

  'a token of another job, a made-up one and an empty one change nothing': async (rig) => {
    await rig.putMany(2)
    const { jobs } = await (await rig.node()).claim()
    for (const token of [jobs[1].token, 'made-up', '', '-1', '99999999999999999999', 'NaN']) {
      await changesNothing(rig, { ...jobs[0], token })
    }
    assert.equal(await rig.stateOf(jobs[0]), 'running')
    assert.equal(await rig.stateOf(jobs[1]), 'running')
  },

  'a verdict for a job that does not exist is lost': async (rig) => {
    await rig.put()
    const node = await rig.node()
    const held = await node.take()
    assert.deepEqual(await node.settle({ ...held, id: 'nobody' }, COMPLETE), { status: 'lost' })
    assert.deepEqual(await node.settle({ ...held, queue: 'none' }, COMPLETE), { status: 'lost' })
    assert.equal(await rig.stateOf(held), 'running')
  },

  'repeating a settle answers as the first time and changes nothing': async (rig) => {
    await rig.declare({ keep: KEEP_ALL })
    const node = await rig.node()
    for (const verdict of EVERY_VERDICT) {
      await rig.put()
      const held = await node.take()
      const first = await node.settle(held, verdict)
      assert.equal(first.status, 'done')
      const before = await rig.found(held)
      for (const store of [rig.store, await rig.connect()]) {
        const ask = { node: node.id, settle: [settlement(held, verdict)], claim: [] }
        const { settled } = await store.exchange(ask)
        assert.deepEqual(settled, [first], verdict.kind)
      }
      assert.deepEqual(await rig.found(held), before, verdict.kind)
      await rig.control({ kind: 'delete', queue: 'q', which: {} })
    }
  },

  'repeating a completion that left nothing still answers done': async (rig) => {
    const node = await rig.node()
    const ref = await rig.put()
    const held = await node.take()
    const first = await node.settle(held, COMPLETE)
    assert.equal(await rig.stateOf(ref), 'gone')
    assert.deepEqual(await node.settle(held, COMPLETE), first)
    assert.equal(await rig.stateOf(ref), 'gone')
  },

  'repeating a dead-lettering makes no second dead letter': async (rig) => {
    await rig.declare({ deadLetter: 'dead' })
    const node = await rig.node()
    await rig.put()
    const held = await node.take()
    const first = await node.settle(held, discardAs('dead-1'))
    assert.deepEqual(await node.settle(held, discardAs('dead-1')), first)
    assert.equal((await rig.list('dead')).length, 1)
  },

  'the same settle twice in one trip counts once': async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    const held = await node.take()
    const one = settlement(held, retryIn(1_000))
    const [first, second] = await node.settleAll([one, one])
    assert.deepEqual(second, first)
    const job = await rig.view(ref)
    assert.deepEqual([job.attempt, job.history.length], [1, 1])
  },

  'a settle repeated after the next claim took the job changes nothing of it': async (rig) => {
    await rig.put()
    const node = await rig.node()
    const held = await node.take()
    await node.settle(held, retryIn(0))
    const next = await node.take()
    const before = await rig.found(held)
    await node.settle(held, retryIn(0))
    assert.deepEqual(await rig.found(held), before)
    assert.deepEqual(await node.settle(next, completeWith(json(1))), {
      status: 'done',
      state: 'completed',
      deadLetter: null,
    })
  },
}

export const tokens: Group = { title: 'tokens', laws }
