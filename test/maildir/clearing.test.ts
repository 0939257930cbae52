// The log is cleared while calls go on: whichever step of one falls between which steps of the other,
// the life goes on, and what was decided is read by the next keeper.
import { expect, it } from 'vitest'
import { newJob, QUEUE } from '../../src/testing/conformance/build.js'
import { SimDisk } from '../../src/testing/sim-disk.js'
import { turn } from '../../src/time/system.js'
import { hostAt, openHandle } from './machine.js'
import type { Process } from './machine.js'

it.each([0, 1, 2, 3, 5, 8, 13, 21, 34])(
  'a log that is cleared %i steps after a call is no fault',
  async (steps) => {
    const host = hostAt({ ms: 1_000_000 }, 1, 1)
    const machine: Process = {
      ...{ disk: new SimDisk(), host, rooms: new Map(), segmentBytes: 1024 * 1024 },
    }
    const { store, warnings } = await openHandle(machine, 1)
    const room = await machine.rooms.values().next().value
    if (room === undefined) throw new Error('the store has no room')
    for (let round = 0; round < 8; round++) {
      const job = newJob(`${round}`)
      room.commit({ kind: 'insert', lots: [1], items: [job] })
      for (let step = 0; step < steps; step++) await Promise.resolve()
      await room.tend()
      await room.durable()
    }
    await store.close()
    expect(warnings).toEqual([])
    const next = await openHandle({ ...machine, rooms: new Map() }, 2)
    const page = { limit: 100, cursor: null }
    const { items } = await next.store.list({ queue: QUEUE, which: {}, page })
    expect(items).toHaveLength(8)
  },
)

it('what one sync has under way is not durable because the clearing finds nothing to sync', async () => {
  const host = hostAt({ ms: 1_000_000 }, 1, 1)
  const disk = new SimDisk()
  const machine: Process = { disk, host, rooms: new Map(), segmentBytes: 1024 * 1024 }
  const { store } = await openHandle(machine, 1)
  const room = await machine.rooms.values().next().value
  if (room === undefined) throw new Error('the store has no room')
  const settle = async (): Promise<void> => {
    for (let turns = 0; turns < 20; turns++) await turn()
  }
  disk.holdSyncs()
  room.commit({ kind: 'insert', lots: [1], items: [newJob('a')] })
  const first = room.durable()
  await settle()
  const [log] = disk.heldSyncs()
  const clearing = room.tend()
  await settle()
  // The new segment's own syncs end, that of the old one does not.
  for (let at = disk.heldSyncs().length - 1; at >= 0; at = disk.heldSyncs().length - 1) {
    if (disk.heldSyncs()[at] === log) break
    disk.releaseSync(at)
    await settle()
  }
  let isDurable = false
  const second = room.durable().then(() => (isDurable = true))
  await settle()
  expect(isDurable).toBe(false)
  disk.releaseSyncs()
  await Promise.all([first, second, clearing])
  await store.close()
})
