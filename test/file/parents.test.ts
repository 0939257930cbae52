// A graph of jobs on a folder: half of it done, everything compacted away and every process gone,
// the rest goes on from the snapshot, and reads what the first half left.
import { expect, it } from 'vitest'
import { completeWith, json, newJob, QUEUE } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { SimDisk } from '../../src/testing/sim-disk.js'
import { seededChance } from '../../src/time/virtual.js'
import { hostAt, openProcess, quiet, ROOT } from './machine.js'
import type { Hands, Process } from './machine.js'

const SEGMENT_BYTES = 4 * 1024

function refs(...ids: readonly string[]) {
  return ids.map((id) => ({ queue: QUEUE, id }))
}

/** Enough of other things that what was there before is in no segment any more. */
async function fill(process: Process, hands: Hands, disk: SimDisk): Promise<void> {
  const node = await PlayedNode.enlist(process.store, cardOf(`filler-${hands.ms}`))
  for (let step = 0; step < 60; step++) {
    const fill = json('x'.repeat(400))
    await process.store.insert([{ jobs: [newJob(`f-${hands.ms}`, { queue: 'f', payload: fill })] }])
    const { jobs } = await node.claim({ queue: 'f' })
    for (const job of jobs) await node.settle(job, { kind: 'complete', result: null })
    hands.ms += 100
    await quiet()
  }
  expect(disk.facts(`${ROOT}/default/log/00000001.log`)).toBe(null)
}

it('goes on from a snapshot in the middle of a graph', async () => {
  let disk = new SimDisk()
  const hands: Hands = { ms: 1_000_000 }
  const host = hostAt(hands, 1)
  const open = (nonce: string): Promise<Process> =>
    openProcess({ disk: disk.fork(), host, nonce, segmentBytes: SEGMENT_BYTES })

  const first = await open('a')
  await first.store.declare(QUEUE, { receipts: 60_000 })
  const lot = [
    newJob('last', { after: refs('left', 'right', 'late') }),
    newJob('left', { after: refs('top') }),
    newJob('right', { after: refs('top', 'bad'), onParentFailed: 'run' }),
    newJob('falls', { after: refs('right', 'late'), onParentFailed: 'discard' }),
    ...['top', 'bad', 'late'].map((id, at) => newJob(id, { delay: at * 1_000 })),
  ]
  await first.store.insert([{ jobs: lot }])
  const node = await PlayedNode.enlist(first.store, cardOf('node-a'))
  await node.settle(await node.take(), completeWith({ of: 'top' }))
  hands.ms += 1_000
  for (const job of (await node.claim()).jobs) {
    const verdict = { kind: 'cancel', reason: null } as const
    await node.settle(job, job.id === 'bad' ? verdict : completeWith({ of: job.id }))
  }
  // Of the first half only the children's papers are left.
  hands.ms += 120_000
  await node.sweepAll()
  await fill(first, hands, disk)
  const before = first.book()
  await first.store.close()
  disk = disk.crash('any-subset', seededChance(1))

  const second = await open('b')
  expect(second.book()).toEqual(before)
  const parent = (id: string, state: string, result: unknown = null) => {
    return { queue: QUEUE, id, state, result: result === null ? null : json(result) }
  }
  expect(await second.store.parents(refs('right')[0])).toEqual([
    parent('top', 'completed', { of: 'top' }),
    parent('bad', 'cancelled'),
  ])
  const other = await PlayedNode.enlist(second.store, cardOf('node-b'))
  const ready = await other.claim()
  expect(ready.jobs.map(({ id }) => id)).toEqual(['right', 'late'])
  for (const job of ready.jobs) {
    await other.settle(job, job.id === 'late' ? completeWith(7) : completeWith('r'))
  }
  expect((await other.claim()).jobs.map(({ id }) => id).sort()).toEqual(['falls', 'last'])
  expect(await second.store.parents(refs('last')[0])).toEqual([
    parent('left', 'completed', { of: 'left' }),
    parent('right', 'completed', 'r'),
    parent('late', 'completed', 7),
  ])
  expect(second.warnings).toEqual([])
})
