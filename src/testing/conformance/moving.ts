/**
 * Queues on their way from one store to another: the gates on both sides, what departs, and what is
 * kept of it. A job that was moved starts on one side only, however a mover may stumble.
 */
import assert from 'node:assert/strict'
import type { TransitWords } from '../../job/transit.js'
import type { Store } from '../../store.js'
import { COMPLETE, QUEUE, completeWith, idsOf, refOf, retryIn } from './build.js'
import { carry, dumpOf, jobsIn } from './carrying.js'
import type { Group, Laws } from './law.js'
import { cardOf, PlayedNode } from './played-node.js'
import { MINUTE, player, tickOf } from './played-scheduler.js'
import type { Rig } from './rig.js'

async function say(rig: Rig, transit: TransitWords | null, store: Store = rig.store) {
  const answer = await store.control({ kind: 'transit', queue: QUEUE, transit }, null)
  return answer.changed
}

const MOVING: TransitWords = { side: 'moving', with: 'there', groups: null }
const ARRIVING: TransitWords = { side: 'arriving', with: 'here', groups: null }

async function depart(rig: Rig, ids: readonly string[]): Promise<number> {
  const command = { kind: 'depart', queue: QUEUE, which: { ids }, to: 'there' } as const
  return (await rig.control(command)).changed
}

const nodeOn = (store: Store): Promise<PlayedNode> => PlayedNode.enlist(store, cardOf('there'))

const laws: Laws = {
  'nothing of a queue that moves or arrives starts, and explain says so': async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    for (const words of [MOVING, ARRIVING]) {
      const since = rig.clock.wall()
      assert.equal(await say(rig, words), 1)
      assert.equal(await say(rig, words), 0, 'it was so')
      await rig.clock.advance(1_000)
      assert.deepEqual((await node.claim()).jobs, [])
      const [explained] = await rig.store.explain([ref])
      const gate = { kind: 'moving', what: 'queue', side: words.side, with: words.with, since }
      assert.deepEqual(explained?.gates, [gate])
      assert.deepEqual((await rig.store.explainQueue(QUEUE))?.gates, [gate])
    }
    assert.equal(await say(rig, { ...ARRIVING, side: 'arrived' }), 1)
    assert.deepEqual((await rig.store.explain([ref]))[0]?.gates, [])
    assert.deepEqual(await node.drain(), [ref.id])
    assert.equal(await say(rig, null), 1)
  },

  'of an arriving queue some groups may be closed, and the others go on': async (rig) => {
    const ids = await rig.putMany(6, (n) => ({ group: ['', 'a', 'b'][n % 3] }))
    await say(rig, { ...ARRIVING, groups: ['a', ''] })
    const node = await rig.node()
    assert.deepEqual(await node.drain(), [ids[2], ids[5]])
    const [explained] = await rig.store.explain([{ queue: QUEUE, id: ids[1] }])
    assert.deepEqual(
      explained?.gates.map((gate) => gate.kind === 'moving' && gate.what),
      ['group'],
    )
    await say(rig, { ...ARRIVING, groups: ['a'] })
    assert.deepEqual(await node.drain(), [ids[0], ids[3]])
    await say(rig, { ...ARRIVING, groups: [] })
    assert.deepEqual(await node.drain(), [ids[1], ids[4]])
  },

  'it is remembered with the store, and by other handles at once': async (rig) => {
    await rig.put()
    await say(rig, MOVING)
    const other = await rig.connect()
    assert.deepEqual((await (await rig.node(other)).claim()).jobs, [])
    const page = { limit: 10, cursor: null }
    const { items } = await other.dump({ part: 'queues', queues: null, page })
    const [queue] = items
    assert.ok(queue.kind === 'queue' && queue.transit !== null)
    assert.deepEqual([queue.transit.side, queue.transit.with], ['moving', 'there'])
  },

  'what runs there ends there, and what will run again waits behind the gate': async (rig) => {
    const [a, b] = await rig.putMany(2)
    const node = await rig.node()
    const { jobs } = await node.claim()
    await say(rig, MOVING)
    await node.settle(jobs[0], COMPLETE)
    await node.settle(jobs[1], retryIn(0))
    assert.deepEqual((await node.claim()).jobs, [])
    assert.equal(await rig.stateOf({ queue: QUEUE, id: a }), 'gone')
    assert.equal(await rig.stateOf({ queue: QUEUE, id: b }), 'available')
  },

  'what departs leaves a receipt that says where to, and is dumped no more': async (rig) => {
    const [a, b, c] = await rig.putMany(3, () => ({ ownId: true }))
    assert.equal(await depart(rig, [a]), 0, 'its queue does not move')
    const node = await rig.node()
    const held = await node.take()
    await say(rig, MOVING)
    assert.equal(await depart(rig, [a, b, 'nobody']), 1, 'what runs does not go')
    assert.equal(await depart(rig, [b]), 0, 'it went before')
    const found = await rig.found({ queue: QUEUE, id: b })
    assert.ok(found?.kind === 'receipt')
    assert.equal(found.receipt.state, 'cancelled')
    assert.equal(found.receipt.reason, 'moved to there')
    assert.deepEqual(idsOf(await jobsIn(rig.store)), [a, c])
    const again = await rig.insert([rig.job({ id: b, ownId: true })])
    assert.deepEqual(again, [{ status: 'duplicate', id: b }])
    await node.settle(held, COMPLETE)
  },

  'operators are heard on the other side: here nothing but departure changes what waits': async (
    rig,
  ) => {
    const [id] = await rig.putMany(1, () => ({ expiresIn: MINUTE }))
    await say(rig, MOVING)
    const which = { ids: [id] }
    const of = { queue: QUEUE, which }
    assert.equal((await rig.control({ kind: 'cancel', ...of, reason: null })).changed, 0)
    assert.equal((await rig.control({ kind: 'delete', ...of })).changed, 0)
    const change = { priority: 9 }
    assert.equal((await rig.control({ kind: 'update', queue: QUEUE, id, change })).changed, 0)
    await rig.clock.advance(2 * MINUTE)
    assert.equal((await (await rig.node()).sweepAll()).expired, 0)
    assert.equal(await rig.stateOf({ queue: QUEUE, id }), 'available')
  },

  'schedules of a queue that moves do not fire': async (rig) => {
    const scheduler = player(rig)
    await scheduler.put('s', {}, rig.clock.wall())
    const row = await scheduler.row('s')
    await rig.clock.advance(MINUTE)
    await say(rig, MOVING)
    assert.deepEqual(await scheduler.rows('due'), [])
    assert.deepEqual(await scheduler.tick(tickOf(row)), [{ status: 'stale' }])
    await say(rig, null)
    assert.equal((await scheduler.round()).length, 1)
  },

  'a child follows its parent that was moved, and hears how it ended there': async (rig) => {
    const [mum] = await rig.putMany(1)
    const there = await rig.connect('there')
    await say(rig, MOVING)
    await carry(rig.store, there)
    await depart(rig, [mum])
    const child = rig.job({ id: 'child', queue: 'other', after: [{ queue: QUEUE, id: mum }] })
    const [answer] = await rig.insert([child])
    assert.deepEqual(answer, { status: 'inserted', id: 'child', state: 'waiting' })
    const node = await nodeOn(there)
    await node.settle(await node.take(), completeWith('there'))
    await carry(rig.store, there)
    assert.equal((await node.take({ queue: 'other' })).id, 'child')
  },

  'who comes after a job that was moved long ago is refused': async (rig) => {
    const id = '01ARZ3NDEKTSV4RRFFQ69G5FAV'
    await rig.put()
    await say(rig, MOVING)
    const parent = { queue: QUEUE, id }
    const [answer] = await rig.insert([rig.job({ queue: 'other', after: [parent] })])
    assert.deepEqual(answer, { status: 'refused', code: 'PARENT_UNKNOWN', parent })
  },

  'what went away may come back': async (rig) => {
    const [id] = await rig.putMany(1, () => ({ ownId: true }))
    const there = await rig.connect('there')
    await say(rig, MOVING)
    await carry(rig.store, there)
    await depart(rig, [id])
    await say(rig, null)
    const [job] = await jobsIn(there)
    assert.deepEqual(await rig.store.load([job]), [{ status: 'loaded' }])
    assert.deepEqual(await (await rig.node()).drain(), [id])
    assert.deepEqual(await rig.store.load([job]), [{ status: 'present' }])
    assert.deepEqual(refOf(job), { queue: QUEUE, id })
  },

  'a schedule that went away may come back as it is there; one that was removed stays so': async (
    rig,
  ) => {
    const [here, there] = [player(rig), await rig.connect('there')]
    const over = player(rig, there)
    for (const name of ['s', 'gone']) await here.put(name, {}, rig.clock.wall())
    await rig.clock.advance(MINUTE)
    await here.round()
    await carry(rig.store, there)
    await here.change({ kind: 'depart', queue: QUEUE, name: 's' })
    await here.change({ kind: 'remove', queue: QUEUE, name: 'gone' })
    assert.deepEqual(await here.rows(), [])
    const told = (await dumpOf(rig.store, 'schedules')).map(({ kind }) => kind)
    assert.deepEqual(told, ['retired'], 'what went away is not carried as removed')
    await rig.clock.advance(MINUTE)
    await over.round()
    const before = await over.row('s')
    await carry(there, rig.store)
    assert.deepEqual(await here.rows(), [before])
    await rig.clock.advance(MINUTE)
    assert.equal((await here.round()).length, 1)
  },
}

export const moving: Group = { title: 'moving', laws }
