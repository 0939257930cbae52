/**
 * Pauses, as every node sees them: of everything, of a queue, of a group. After the answer nothing
 * of what is paused is given, what runs goes on, and each layer ends by itself.
 */
import assert from 'node:assert/strict'
import type { Controlled, Store } from '../../store.js'
import { COMPLETE, idsOf, QUEUE, upTo } from './build.js'
import { Ear } from './ear.js'
import type { Group, Laws } from './law.js'
import type { Rig } from './rig.js'

type Where = { readonly queue?: string | null; readonly group?: string | null }

function pause(store: Store, { queue = QUEUE, group = null }: Where = {}): Promise<Controlled> {
  return store.control({ kind: 'pause', queue, group, by: 'the test' }, null)
}

function resume(store: Store, { queue = QUEUE, group = null }: Where = {}): Promise<Controlled> {
  return store.control({ kind: 'resume', queue, group, by: 'the test' }, null)
}

const laws: Laws = {
  'a paused queue gives nothing to any node, and gives again after its end': async (rig) => {
    const ids = await rig.putMany(3)
    const node = await rig.node()
    const other = await rig.node(await rig.connect())
    await pause(rig.store)
    for (const one of [node, other]) {
      const answer = await one.claim()
      assert.deepEqual([answer.jobs, answer.nextIn], [[], null])
    }
    await resume(other.store)
    assert.equal((await node.claim({ limit: 0 })).nextIn, 0)
    assert.deepEqual(idsOf((await node.claim()).jobs), ids)
  },

  'the same again changes nothing, and says so': async (rig) => {
    const other = await rig.connect()
    for (const where of [{}, { queue: null }, { group: 'g' }, { group: '' }]) {
      const answers = [
        await resume(rig.store, where),
        await pause(rig.store, where),
        await pause(other, where),
        await resume(other, where),
        await resume(rig.store, where),
      ]
      assert.deepEqual(
        answers.map(({ changed, cursor, happened }) => [changed, cursor, happened]),
        [0, 1, 0, 1, 0].map((changed) => [changed, null, []]),
      )
    }
  },

  'what runs goes on, and its verdicts count': async (rig) => {
    await rig.putMany(2)
    const node = await rig.node()
    const held = await node.take()
    await pause(rig.store)
    assert.deepEqual((await node.check([held])).lost, [])
    assert.equal((await node.settle(held, COMPLETE)).status, 'done')
    assert.deepEqual((await node.claim()).jobs, [])
  },

  'everything is paused: queues that are there, and those that come later': async (rig) => {
    await rig.put()
    await pause(rig.store, { queue: null })
    await rig.put({ queue: 'later' })
    const node = await rig.node()
    for (const queue of [QUEUE, 'later']) assert.deepEqual((await node.claim({ queue })).jobs, [])
    await resume(rig.store, { queue: null })
    for (const queue of [QUEUE, 'later']) assert.equal((await node.claim({ queue })).jobs.length, 1)
  },

  'the end of one layer wakes nothing that another holds': async (rig) => {
    await rig.putMany(2, (at) => ({ group: at === 0 ? 'g' : 'h' }))
    const node = await rig.node()
    await pause(rig.store, { queue: null })
    await pause(rig.store)
    await pause(rig.store, { group: 'g' })
    await resume(rig.store, { queue: null })
    assert.deepEqual((await node.claim()).jobs, [])
    await resume(rig.store)
    assert.deepEqual(
      (await node.claim()).jobs.map(({ group }) => group),
      ['h'],
    )
    await resume(rig.store, { group: 'g' })
    assert.equal((await node.take()).group, 'g')
  },

  'a paused group rests, and the others go on': async (rig) => {
    for (const _ of upTo(10)) await rig.putMany(2, (at) => ({ group: at === 0 ? 'g' : 'h' }))
    await pause(rig.store, { group: 'g' })
    const node = await rig.node()
    const { jobs, nextIn } = await node.claim()
    assert.deepEqual([jobs.length, nextIn], [10, null])
    assert.ok(jobs.every(({ group }) => group === 'h'))
    await resume(rig.store, { group: 'g' })
    assert.equal((await node.claim()).jobs.length, 10)
  },

  'the group of jobs without one can be paused, too': async (rig) => {
    await rig.put()
    const other = await rig.put({ group: 'g' })
    await pause(rig.store, { group: '' })
    assert.deepEqual(idsOf((await (await rig.node()).claim()).jobs), [other.id])
  },

  'a pause needs no job, and outlives the last': async (rig) => {
    const node = await rig.node()
    await pause(rig.store)
    const ref = await rig.put()
    assert.deepEqual((await node.claim()).jobs, [])
    await rig.control({ kind: 'delete', queue: QUEUE, which: { ids: [ref.id] } })
    await rig.clock.advance(11 * 60_000)
    await node.sweepAll()
    await rig.put()
    assert.deepEqual((await node.claim()).jobs, [])
    assert.deepEqual(await pausedQueues(rig), [[QUEUE, true]])
    await resume(rig.store)
    assert.equal((await node.claim()).jobs.length, 1)
  },

  'queues say whether they are paused, by themselves or with everything': async (rig) => {
    await rig.put()
    await rig.put({ queue: 'r' })
    await pause(rig.store)
    assert.deepEqual(await pausedQueues(rig), [
      [QUEUE, true],
      ['r', false],
    ])
    await pause(rig.store, { queue: null })
    assert.deepEqual(await pausedQueues(rig), [
      [QUEUE, true],
      ['r', true],
    ])
  },

  'pauses and their ends are told to whoever watches': async (rig) => {
    await rig.put()
    const other = await rig.connect()
    const ear = new Ear(rig, other)
    await pause(rig.store)
    if (other.traits.hints) await ear.hears('control', QUEUE)
    await resume(rig.store)
    if (other.traits.hints) await ear.hears('jobs', QUEUE)
    ear.stop()
  },

  'a node that keeps groups out gets none of them, and no other node minds': async (rig) => {
    await rig.putMany(4, (at) => ({ group: at % 2 === 0 ? 'g' : 'h' }))
    const node = await rig.node()
    const other = await rig.node()
    const { jobs, nextIn } = await node.claim({ limit: 2, without: ['g', 'unheard of'] })
    assert.deepEqual([jobs.map(({ group }) => group), nextIn], [['h', 'h'], null])
    assert.equal((await other.claim({ limit: 0 })).nextIn, 0)
    assert.equal((await other.claim({ limit: 1 })).jobs.length, 1)
    assert.equal((await node.claim()).jobs.length, 1)
  },
}

export const pauses: Group = { title: 'pauses', laws }

async function pausedQueues(rig: Rig): Promise<[string, boolean][]> {
  const { items } = await rig.store.queues({ limit: 10, cursor: null })
  return items.map(({ name, paused }) => [name, paused])
}
