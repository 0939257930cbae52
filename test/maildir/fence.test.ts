// A keeper that stands still for longer than its lease is followed, and whatever it does when it
// wakes changes nothing: its names are of a generation that nobody reads any more.
import { describe, expect, it } from 'vitest'
import { newJob, QUEUE } from '../../src/testing/conformance/build.js'
import { SimDisk } from '../../src/testing/sim-disk.js'
import { LEASE } from '../../src/job/defaults.js'
import { hostAt, openHandle } from './machine.js'
import type { Handle, Hands, Process } from './machine.js'

const NEW = `/mail/default/${QUEUE}/new`

/** A process of which nobody can tell that it is dead. */
function processOn(disk: SimDisk, hands: Hands, pid: number): Process {
  const host = { ...hostAt(hands, 1, pid), up: () => hands.ms, liveness: () => 'alive' as const }
  return { disk: disk.fork(), host, rooms: new Map(), segmentBytes: 1024 * 1024 }
}

async function ids({ store }: Handle): Promise<string[]> {
  const page = { limit: 10, cursor: null }
  const { items } = await store.list({ queue: QUEUE, which: {}, page })
  return items.map(({ id }) => id).sort()
}

describe('a keeper that stands still', () => {
  it('is followed after its lease, and its names are left behind', async () => {
    const disk = new SimDisk()
    const hands: Hands = { ms: 1_000_000 }
    const stopped = processOn(disk, hands, 1)
    const first = await openHandle(stopped, 1)
    await first.store.insert([{ jobs: [newJob('a'), newJob('b')] }])
    const before = disk.list(NEW)
    expect(before.every((name) => name.includes('.g1.'))).toBe(true)

    hands.ms += LEASE + 1
    const second = await openHandle(processOn(disk, hands, 2), 2)
    expect(await ids(second)).toEqual(['a', 'b'])
    const after = disk.list(NEW)
    expect(after).toHaveLength(2)
    expect(after.every((name) => name.includes('.g2.'))).toBe(true)

    // It wakes in the middle of a move, and then begins another call.
    const late = disk.create(`${NEW}/${before[0]}`)
    late.write(Buffer.from('{}'))
    late.close()
    const room = await stopped.rooms.values().next().value
    const lot = { kind: 'insert', lots: [1], items: [newJob('late')] } as const
    expect(() => room?.commit(lot)).toThrow('to be the keeper of this folder still')
    await second.store.close()

    const third = await openHandle(processOn(disk, hands, 3), 3)
    expect(await ids(third)).toEqual(['a', 'b'])
    expect(disk.list(NEW).every((name) => !name.includes('.g1.'))).toBe(true)
    expect(third.warnings).toEqual([])
  })

  it('is not followed while its beats are younger than its lease', async () => {
    const disk = new SimDisk()
    const hands: Hands = { ms: 1_000_000 }
    const first = await openHandle(processOn(disk, hands, 1), 1)
    hands.ms += LEASE - 1
    await openHandle(processOn(disk, hands, 2), 2)
    expect(disk.list('/mail/default/.keeper').filter((name) => name.startsWith('keeper.'))).toEqual(
      ['keeper.1'],
    )
    await first.store.insert([{ jobs: [newJob('a')] }])
    expect(await ids(first)).toEqual(['a'])
  })
})
