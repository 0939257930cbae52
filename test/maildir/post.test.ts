// Letters between two processes on one simulated disk, by virtual time: no hint has to arrive for a
// letter to be answered, a keeper that was followed answers none, and what the dead left is removed.
import { beforeEach, describe, expect, it } from 'vitest'
import { newJob, QUEUE } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import type { Disk } from '../../src/disk/disk.js'
import { LEASE } from '../../src/job/defaults.js'
import { openableMaildirStore } from '../../src/stores/maildir/maildir-store.js'
import type { Rooms } from '../../src/stores/maildir/maildir-store.js'
import { SimDisk } from '../../src/testing/sim-disk.js'
import type { Store } from '../../src/store.js'
import type { Clock } from '../../src/time/clock.js'
import { turn } from '../../src/time/system.js'
import { seededChance, VirtualClock } from '../../src/time/virtual.js'
import { virtualHost } from '../conformance/virtual-host.js'
import { signal } from '../engine/harness.js'
import { watchedDisk } from '../file/watched-disk.js'

const KEEPER = '/mail/default/.keeper'
const POST = `${KEEPER}/post`

let clock: VirtualClock
let disk: SimDisk
let warnings: string[]

beforeEach(() => {
  clock = new VirtualClock()
  disk = new SimDisk({ now: () => clock.wall() })
  warnings = []
})

/** A process of its own: it shares nothing with others but the disk and the time. */
async function openProcess(
  seed: number,
  isStopped = (): boolean => false,
  its: Disk = disk.fork(),
  rooms: Rooms = new Map(),
  pause: () => Promise<void> = async () => undefined,
): Promise<Store> {
  const store = openableMaildirStore(
    { path: '/mail' },
    {
      ...{ disk: its, host: virtualHost(clock), chance: seededChance(seed) },
      clock: stoppable(isStopped),
      rooms,
      pause,
      warn: (message) => warnings.push(message),
    },
  )
  await store.open({ scope: 'default' })
  return store
}

function readWhole(path: string): string {
  const file = disk.read(path)
  const bytes = Buffer.alloc(file.size())
  file.readAt(0, bytes)
  return bytes.toString()
}

/** The clock of a process: none of its timers runs while it is stopped. */
function stoppable(isStopped: () => boolean): Clock {
  return {
    wall: () => clock.wall(),
    mono: () => clock.mono(),
    after: (delay, run) => clock.after(delay, () => void (isStopped() || run())),
    soon: (run) => clock.soon(run),
    within: (run) => clock.within(run),
  }
}

describe('the post of a maildir', () => {
  it('is answered though no hint ever comes: the keeper looks by itself', async () => {
    const keeper = await openProcess(1)
    const other = await openProcess(2)
    const asked = other.insert([{ jobs: [newJob('a')] }])
    await clock.advance(1_000)
    expect(await asked).toMatchObject([[{ id: 'a', status: 'inserted' }]])
    expect(disk.list(POST)).toEqual(['drafts'])
    expect(disk.list(`${POST}/drafts`)).toEqual([])
    await keeper.close()
    await other.close()
    expect(warnings).toEqual([])
  })

  it('is left by a keeper that was followed to whoever came after it', async () => {
    let isStopped = false
    await openProcess(1, () => isStopped)
    isStopped = true
    await clock.advance(LEASE + 1)
    const second = await openProcess(2)
    const third = await openProcess(3)
    const asked = third.insert([{ jobs: [newJob('a')] }])
    // The first wakes at a hint, before the second has looked.
    disk.hint(POST)
    await clock.advance(1_000)
    expect(await asked).toMatchObject([[{ id: 'a', status: 'inserted' }]])
    expect(disk.list(KEEPER).filter((name) => name.startsWith('keeper.'))).toEqual(['keeper.2'])
    await second.close()
  })

  it.each(['another handle of its process', 'whoever follows'])(
    'is left by a handle that closes just then to %s',
    async (who) => {
      const rooms: Rooms = new Map()
      const its = disk.fork()
      const isNever = (): boolean => false
      const first = await openProcess(1, isNever, its, rooms, turn)
      if (who !== 'whoever follows') await openProcess(1, isNever, its, rooms, turn)
      const visitor = await openProcess(2)
      const asked = visitor.count({ queue: QUEUE, which: {}, cursor: null })
      while (disk.list(POST).length < 2) await turn()
      disk.hint(POST) // the letter is seen, and answered a turn later
      await first.close()
      await clock.advance(2_000)
      expect(await asked).toMatchObject({ counts: {} })
      expect(warnings).toEqual([])
      await visitor.close()
    },
  )

  it('is left to whoever follows by a keeper that closes in the midst of what it was asked', async () => {
    const [syncing, go] = [signal(), signal()]
    let isHeld = false
    const forked = disk.fork()
    const its = new Proxy(forked, {
      get: (_, name: keyof Disk) => {
        const value: unknown = forked[name]
        if (name !== 'syncFolder')
          return typeof value === 'function' ? (value.bind(forked) as unknown) : value
        return async (path: string) => {
          if (isHeld) syncing.fire()
          if (isHeld) await go.done
          await forked.syncFolder(path)
        }
      },
    })
    const keeper = await openProcess(1, () => false, its)
    await keeper.insert([{ jobs: [newJob('a')] }])
    const visitor = await openProcess(2)
    isHeld = true
    const swept = visitor.sweep({ node: 'n', limit: 10 })
    await clock.advance(1_000)
    await syncing.done
    const closed = keeper.close()
    go.fire()
    await closed
    await clock.advance(2_000)
    expect(await swept).toMatchObject({ freed: 0 })
    await visitor.close()
  })

  it('brings what was delivered before the keeper watched a folder that it had just made, all of it', async () => {
    const DELIVERED = 1_200 // more than one frame takes in
    const delivered = signal()
    const its = watchedDisk(disk.fork(), (change, path) => {
      if (change !== 'makeFolder' || path !== `/mail/default/${QUEUE}/tmp`) return
      for (let n = 0; n < DELIVERED; n++) {
        const mail = disk.create(`/mail/default/${QUEUE}/new/theirs-${n}.json`)
        mail.write(Buffer.from('"early"'))
        mail.close()
      }
      delivered.fire()
    })
    const keeper = await openProcess(1, () => false, its)
    await keeper.insert([{ jobs: [newJob('a')] }])
    await clock.advance(100) // letters follow answers
    await delivered.done
    await turn()
    const { jobs } = await (await PlayedNode.enlist(keeper, cardOf('n'))).claim({ limit: 2_000 })
    expect(jobs).toHaveLength(1 + DELIVERED)
    await keeper.close()
  })

  it('has no two letters of one number, though who writes becomes keeper and visitor in turn', async () => {
    const numbers: string[] = []
    let isStopped = false
    const counted = watchedDisk(disk.fork(), (change, path) => {
      if (change === 'create' && path.endsWith('.ask')) numbers.push(path)
    })
    const writer = await openProcess(1, () => isStopped, counted)
    const count = async (): Promise<unknown> => {
      const counting = writer.count({ queue: QUEUE, which: {}, cursor: null })
      return (await Promise.all([counting, clock.advance(2_000)]))[0]
    }
    for (const seed of [2, 3]) {
      isStopped = true
      await clock.advance(LEASE + 1)
      const keeper = await openProcess(seed)
      isStopped = false
      await expect(count(), 'it learns so').rejects.toThrow('to be the keeper of this folder still')
      await count()
      await count()
      await keeper.close()
      await count()
    }
    expect(numbers.length).toBeGreaterThanOrEqual(4)
    expect(new Set(numbers).size).toBe(numbers.length)
  })

  it('makes one keeper of a process, though many of its calls find that the last one is gone', async () => {
    const keeper = await openProcess(1)
    const rooms: Rooms = new Map()
    const other = await openProcess(2, () => false, disk.fork(), rooms)
    await keeper.close()
    const counts = [1, 2, 3].map(() => other.count({ queue: QUEUE, which: {}, cursor: null }))
    await Promise.all([...counts, clock.advance(2_000)])
    const room = await rooms.values().next().value
    expect(room?.handles).toBe(1)
    await other.close()
    expect(rooms.size).toBe(0)
    expect(readWhole(`${KEEPER}/keeper.2`).trim().split('\n').at(-1)).toBe('left')
  })

  it('leaves nobody a keeper who closes while it follows one', async () => {
    const keeper = await openProcess(1)
    const rooms: Rooms = new Map()
    const other = await openProcess(2, () => false, disk.fork(), rooms)
    await keeper.close()
    const entered = new Promise<void>((resolve) => {
      rooms.set = (key, room) => {
        resolve()
        return Map.prototype.set.call(rooms, key, room) as Rooms
      }
    })
    const count = other.count({ queue: QUEUE, which: {}, cursor: null })
    const told = expect(count).rejects.toThrow('STORE_CLOSED')
    await Promise.all([entered.then(() => other.close()), clock.advance(2_000)])
    await told
    expect(rooms.size).toBe(0)
  })

  it('is cleared by the next keeper of what the dead have left, and of nothing younger', async () => {
    await (await openProcess(1)).close()
    for (const path of [`${POST}/aa-1.answer`, `${POST}/drafts/aa.aa-2.ask`]) {
      disk.create(path).close()
    }
    await clock.advance(30 * 60_000)
    disk.create(`${POST}/bb-1.answer`).close()
    const next = await openProcess(2)
    expect([...disk.list(POST)].sort()).toEqual(['bb-1.answer', 'drafts'])
    expect(disk.list(`${POST}/drafts`)).toEqual([])
    await next.close()
  })
})
