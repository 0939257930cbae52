/**
 * Many nodes on one medium at once, each through a handle of its own: whatever they do side by
 * side, each job is given once, settled once and counted once.
 */
import assert from 'node:assert/strict'
import { COMPLETE, idsOf, retryIn, upTo } from './build.js'
import type { Group, Laws } from './law.js'
import { LEASE } from './played-node.js'
import type { PlayedNode } from './played-node.js'
import type { Rig } from './rig.js'
import { countsOf } from './rig.js'

async function crew(rig: Rig, size: number): Promise<PlayedNode[]> {
  const nodes: PlayedNode[] = []
  for (const _ of upTo(size)) nodes.push(await rig.node(await rig.connect()))
  return nodes
}

const laws: Laws = {
  'claims side by side give each job once, and all of them': async (rig) => {
    const ids = await rig.putMany(300)
    const nodes = await crew(rig, 4)
    const order = await Promise.all(nodes.map((node) => node.drain({ limit: 7 })))
    assert.deepEqual(order.flat().sort(), [...ids].sort())
    assert.deepEqual(await rig.counts(), countsOf({}))
  },

  'claims of one side by side give each job once, too': async (rig) => {
    const ids = await rig.putMany(40)
    const nodes = await crew(rig, 3)
    const order = await Promise.all(nodes.map((node) => node.drain({ limit: 1 })))
    assert.deepEqual(order.flat().sort(), [...ids].sort())
  },

  'inserts side by side are all there, each lot whole': async (rig) => {
    const handles = [rig.store, await rig.connect(), await rig.connect()]
    const lots = upTo(60).map(() => upTo(5).map(() => rig.job()))
    await Promise.all(lots.map((jobs, index) => rig.insert(jobs, handles[index % 3])))
    const order = await (await rig.node()).drain()
    assert.equal(order.length, 300)
    for (const lot of lots) {
      const places = lot.map((job) => order.indexOf(job.id))
      const first = places[0]
      assert.deepEqual(
        places,
        upTo(5).map((index) => first + index),
      )
    }
  },

  'the same lot inserted by two at once is there once': async (rig) => {
    const other = await rig.connect()
    const jobs = upTo(10).map(() => rig.job())
    const answers = await Promise.all([rig.insert(jobs), rig.insert(jobs, other)])
    for (const index of upTo(10)) {
      const statuses = answers.map((answer) => answer[index].status).sort()
      assert.deepEqual(statuses, ['duplicate', 'inserted'])
    }
    assert.deepEqual(await rig.counts(), countsOf({ available: 10 }))
  },

  'a verdict against a sweep: one wins, and the job is as the winner said': async (rig) => {
    const ids = await rig.putMany(30)
    const [slow, sweeper] = await crew(rig, 2)
    const { jobs } = await slow.claim()
    await rig.clock.advance(LEASE + 1)
    const verdicts = jobs.map((job) => slow.settle(job, COMPLETE))
    const [settled, swept] = await Promise.all([Promise.all(verdicts), sweeper.sweepAll(5)])
    const done = settled.filter((one) => one.status === 'done').length
    assert.equal(done + swept.freed, ids.length)
    assert.deepEqual(await rig.counts(), countsOf({ available: swept.freed }))
  },

  'a cancel against a claim: the job is cancelled, or its holder is asked': async (rig) => {
    const ids = await rig.putMany(30)
    const [node] = await crew(rig, 1)
    const cancelled = rig.control({ kind: 'cancel', queue: 'q', which: {}, reason: null })
    const [claimed, { changed }] = await Promise.all([node.claim({ limit: 10 }), cancelled])
    const { cancelling } = await node.check(claimed.jobs)
    const counts = await rig.counts()
    assert.equal(changed, ids.length)
    assert.deepEqual(
      counts,
      countsOf({ running: claimed.jobs.length, cancelled: 30 - claimed.jobs.length }),
    )
    assert.equal(cancelling.length, claimed.jobs.length)
  },

  'a backlog’s limit holds though many insert at once': async (rig) => {
    await rig.declare({ limits: { backlog: 10 } })
    const handles = [rig.store, await rig.connect(), await rig.connect()]
    const jobs = upTo(30).map(() => rig.job())
    const answers = await Promise.all(
      jobs.map((job, index) => rig.insert([job], handles[index % 3])),
    )
    const taken = answers.filter(([answer]) => answer.status === 'inserted')
    assert.equal(taken.length, 10)
    assert.deepEqual(await rig.counts(), countsOf({ available: 10 }))
  },

  'failing jobs that many nodes share use up exactly their attempts': async (rig) => {
    const ids = await rig.putMany(20, () => ({ attempts: 3 }))
    const nodes = await crew(rig, 3)
    const runs = await Promise.all(
      nodes.map(async (node) => {
        const given: string[] = []
        for (;;) {
          const { jobs } = await node.claim({ limit: 3 })
          if (jobs.length === 0) return given
          given.push(...idsOf(jobs))
          for (const job of jobs) await node.settle(job, retryIn(0))
        }
      }),
    )
    for (const id of ids) assert.equal(runs.flat().filter((one) => one === id).length, 3)
    assert.deepEqual(await rig.counts(), countsOf({ discarded: 20 }))
  },
}

export const sharing: Group = { title: 'many nodes', laws }
