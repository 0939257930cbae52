// The disk fills up: new jobs are refused in clear words, what was begun can still be ended, by the
// keeper's own process and by others, and once there is room again everything goes on, without a
// restart of any process.
import { describe, expect, it } from 'vitest'
import { json, newJob, settlement, upTo } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { SimDisk } from '../../src/testing/sim-disk.js'
import type { Claimed } from '../../src/job/claim.js'
import { MillraceError } from '../../src/job/errors.js'
import { openableMaildirStore } from '../../src/stores/maildir/maildir-store.js'
import type { Store } from '../../src/store.js'
import { seededChance, VirtualClock } from '../../src/time/virtual.js'
import { virtualHost } from '../conformance/virtual-host.js'
import { fill } from '../file/filling.js'
import { smallDisk } from '../file/small-disk.js'
import type { Room } from '../file/small-disk.js'
import { watchedDisk } from '../file/watched-disk.js'
import { hostAt, openHandle, ROOT, SCOPE } from './machine.js'
import type { Hands, Process } from './machine.js'

const MIB = 1024 * 1024
/** Of the disk; what is set aside is a part of it. */
const ROOM = 3 * MIB
const KEEPER = `${ROOT}/${SCOPE}/.keeper`
const HELD = 100
const PAYLOAD = json('x'.repeat(4_000))

interface Machine {
  readonly disk: SimDisk
  readonly room: Room
  readonly hands: Hands
  readonly keeper: Process
}

function machine(bytes = ROOM): Machine {
  const disk = new SimDisk()
  const room = { bytes }
  const hands = { ms: 1_000_000 }
  const small = smallDisk(disk.fork(), ROOT, room)
  const keeper = { disk: small, host: hostAt(hands, 1, 1), rooms: new Map(), segmentBytes: MIB }
  return { disk, room, hands, keeper }
}

function hasSpare({ disk }: Pick<Machine, 'disk'>): boolean {
  const sizes = ['reserve', 'reserve.new'].map((name) => disk.facts(`${KEEPER}/${name}`)?.size)
  return sizes.every((size) => size === MIB)
}

/** A worker that holds jobs, and a producer that has filled the disk. */
async function full(bytes = ROOM) {
  const made = machine(bytes)
  const { store, warnings } = await openHandle(made.keeper, 1)
  const node = await PlayedNode.enlist(store, cardOf('node-a'))
  await store.insert([{ jobs: upTo(HELD).map((n) => newJob(`held-${n}`)) }])
  const held: readonly Claimed[] = (await node.claim({ limit: HELD })).jobs
  expect(held).toHaveLength(HELD)
  const taken: string[] = []
  const refusal = await fill(store, taken)
  return { ...made, store, warnings, node, held, taken, refusal }
}

async function isThere(store: Store, queue: string, ids: readonly string[]): Promise<void> {
  const found = await store.get(ids.map((id) => ({ queue, id })))
  expect(found.map((one) => one?.kind)).toEqual(ids.map(() => 'job'))
}

/** After a kill of the keeper's process, on the same disk. */
function next({ disk, room, hands }: Machine, pid = 2, boot = 1): Process {
  const small = smallDisk(disk, ROOT, room)
  return { disk: small, host: hostAt(hands, boot, pid), rooms: new Map(), segmentBytes: MIB }
}

describe('a maildir on a full disk', () => {
  it('refuses new jobs in clear words, and has every job that it took, and no other', async () => {
    const { store, taken, refusal } = await full()
    expect(taken.length).toBeGreaterThan(50)
    expect(MillraceError.is(refusal.error, 'STORE_UNREACHABLE')).toBe(true)
    expect(String(refusal.error)).toMatch(/full.*make room/is)
    await isThere(store, 'filler', taken)
    expect(await store.get([{ queue: 'filler', id: refusal.id }])).toEqual([null])
  })

  it('takes all verdicts of what runs, while producers try on', async () => {
    const { store, node, held, taken } = await full()
    const before = taken.length
    for (const job of held) {
      const settled = await node.settle(job, { kind: 'complete', result: json('done') })
      expect(settled.status).toBe('done')
      await fill(store, taken)
    }
    expect(taken.length - before, 'nobody eats what is kept for the verdicts').toBe(0)
    const found = await store.get(held)
    expect(found.every((one) => one?.kind === 'receipt')).toBe(true)
  })

  it('takes new jobs again as soon as there is room, and sets the reserve aside anew', async () => {
    const { store, node, held, taken, room, disk } = await full()
    await node.settleAll(held.map((job) => settlement(job, { kind: 'complete', result: null })))
    expect(hasSpare({ disk })).toBe(false)
    room.bytes += 3 * MIB
    const before = taken.length
    await fill(store, taken)
    expect(taken.length).toBeGreaterThan(before + 50)
    await isThere(store, 'filler', taken)
  })

  it('sets the reserve aside anew at a sweep, and clears the log, when nobody puts anything in', async () => {
    const { node, held, room, disk, store } = await full()
    await node.settleAll(held.map((job) => settlement(job, { kind: 'complete', result: null })))
    room.bytes += 8 * MIB
    await node.sweep()
    expect(hasSpare({ disk })).toBe(true)
    await store.close()
    expect(disk.list(`${KEEPER}/commit`)).toHaveLength(1)
  })

  it('is taken over on the full disk, with all that was decided, though letters wait in the log', async () => {
    const made = await full()
    const { held, taken, node } = made
    const half = held.slice(0, HELD / 2)
    await node.settleAll(half.map((job) => settlement(job, { kind: 'complete', result: json(1) })))
    const after = await openHandle(next(made), 2)
    await isThere(after.store, 'filler', taken)
    const again = await PlayedNode.enlist(after.store, cardOf('node-a'))
    const rest = held.slice(HELD / 2)
    const settled = await again.settleAll(
      rest.map((job) => settlement(job, { kind: 'complete', result: json(1) })),
    )
    expect(settled.every(({ status }) => status === 'done')).toBe(true)
    made.room.bytes += 8 * MIB
    await after.store.close()
    const last = await openHandle(next(made, 3), 3)
    await isThere(last.store, 'filler', taken)
    const found = await last.store.get(held)
    expect(found.every((one) => one?.kind === 'receipt')).toBe(true)
  })

  it('is worked off on the full disk by who follows, though letters wait in the log', async () => {
    const made = await full(6 * MIB)
    // What is set aside is given up for them, and the letters that wait are longer than that.
    await made.node.settleAll(
      made.held.map((job) => settlement(job, { kind: 'complete', result: null })),
    )
    const { store, warnings } = await openHandle(next(made), 2)
    const node = await PlayedNode.enlist(store, cardOf('node-b'))
    const ran: string[] = []
    for (;;) {
      const { jobs } = await node.claim({ queue: 'filler', limit: 20 })
      if (jobs.length === 0) break
      const done = await node.settleAll(
        jobs.map((job) => settlement(job, { kind: 'complete', result: null })),
      )
      expect(done.every(({ status }) => status === 'done')).toBe(true)
      ran.push(...jobs.map(({ id }) => id))
    }
    expect(ran).toEqual(made.taken)
    expect(warnings.filter((one) => one.includes('letters wait')).length).toBeLessThanOrEqual(2)
  })

  it('closes on the full disk, and whoever opens it next has all that was decided', async () => {
    const made = await full()
    await made.store.close()
    const { store } = await openHandle(next(made), 2)
    await isThere(store, 'filler', made.taken)
  })

  it('loses nothing of it to a power cut', async () => {
    const made = await full()
    const { disk, node, held, taken } = made
    const half = held.slice(0, HELD / 2)
    await node.settleAll(half.map((job) => settlement(job, { kind: 'complete', result: json(1) })))
    for (const left of disk.crashStates('any-subset', 6, seededChance(1))) {
      const { store } = await openHandle(next({ ...made, disk: left }, 2, 2), 2)
      await isThere(store, 'filler', taken)
      const found = await store.get(half)
      expect(found.every((one) => one?.kind === 'receipt')).toBe(true)
    }
  })

  it('goes on by itself when even the reserve was used up and there is room again', async () => {
    const { store, node, held, room, hands, taken } = await full()
    room.bytes = 0 // others have eaten it
    const retry = { kind: 'retry', delay: 1_000 } as const
    const verdicts = held.map((job) => settlement(job, retry))
    const [told] = await Promise.allSettled([node.settleAll(verdicts)])
    const [more] = await Promise.allSettled([node.settleAll(verdicts)])
    const isToldOf = [told, more].some(({ status }) => status === 'rejected')
    room.bytes = 20 * MIB
    for (let tries = 0; tries < 3; tries++) {
      hands.ms += 2_000
      await Promise.allSettled([node.settleAll(verdicts)])
      await new Promise((resolve) => setImmediate(resolve))
    }
    await isThere(store, 'filler', taken)
    const found = await store.get(held)
    expect(found.every((one) => one?.kind === 'job' && one.job.state !== 'running')).toBe(true)
    expect(isToldOf).toBe(true)
  })

  /** Where in a record, a letter, a paper or a beat the last byte goes in is another place each time. */
  it('keeps its promises wherever the last byte goes in', { timeout: 60_000 }, async () => {
    for (let bytes = 2 * MIB + 40_000; bytes < 2 * MIB + 140_000; bytes += 1_777) {
      const made = machine(bytes)
      const { store } = await openHandle(made.keeper, 1)
      const node = await PlayedNode.enlist(store, cardOf('node'))
      await store.insert([{ jobs: upTo(20).map((n) => newJob(`held-${n}`)) }])
      const held = (await node.claim({ limit: 20 })).jobs
      const taken: string[] = []
      await fill(store, taken)
      for (const job of held.slice(0, 10)) {
        expect((await node.settle(job, { kind: 'retry', delay: 5_000 })).status).toBe('done')
      }
      await node.sweep()
      const onlooker = await openHandle(next(made), 2)
      await isThere(onlooker.store, 'filler', taken)
      const found = await onlooker.store.get(held)
      const states = found.map((one) => (one?.kind === 'job' ? one.job.state : 'none'))
      expect(states.filter((state) => state === 'running')).toHaveLength(held.length - 10)
      expect(states.filter((state) => state === 'retryable')).toHaveLength(10)
    }
  })

  it(
    'lives through a single write that finds no room, whichever it is',
    { timeout: 60_000 },
    async () => {
      let [writes, isOver] = [0, false]
      for (let failing = 1; !isOver; failing++) {
        const disk = new SimDisk()
        writes = 0
        const picky = watchedDisk(disk.fork(), (change, path) => {
          if (change !== 'write' || ++writes !== failing) return
          throw Object.assign(new Error(`ENOSPC: ${path}`), { code: 'ENOSPC' })
        })
        const hands = { ms: 1_000_000 }
        const host = hostAt(hands, 1, 1)
        const process = { disk: picky, host, rooms: new Map(), segmentBytes: 2_000 }
        const [opened] = await Promise.allSettled([openHandle(process, 1)])
        isOver = false
        if (opened.status === 'rejected') continue // it says so; nothing was promised
        const { store } = opened.value
        const done: string[] = []
        for (let n = 0; n < 12; n++) {
          hands.ms += 2_000
          const id = `job-${n}`
          const [told] = await Promise.allSettled([store.insert([{ jobs: [newJob(id)] }])])
          if (told.status === 'fulfilled') done.push(id)
          if (n % 4 === 3) await Promise.allSettled([store.sweep({ node: 'x', limit: 10 })])
        }
        await Promise.allSettled([store.close()])
        isOver = writes < failing
        expect(done.length).toBeGreaterThan(10)
        const after = await openHandle(
          { ...process, disk: disk.fork(), host: hostAt(hands, 1, 2), rooms: new Map() },
          2,
        )
        await isThere(after.store, newJob('x').queue, done)
      }
      expect(writes).toBeGreaterThan(20)
    },
  )
})

describe('a process beside the keeper of a full disk', () => {
  const clock = new VirtualClock()

  async function soon<T>(answer: Promise<T>): Promise<T> {
    const [answered] = await Promise.allSettled([answer, clock.advance(3_000)])
    if (answered.status === 'rejected') throw answered.reason
    return answered.value
  }

  it('ends what it holds, is refused what is new in the same words, and delivers again later', async () => {
    const disk = new SimDisk({ now: () => clock.wall() })
    const room = { bytes: ROOM }
    const open = async (seed: number): Promise<Store> => {
      const small = smallDisk(disk.fork(), ROOT, room)
      const parts = { disk: small, host: virtualHost(clock), chance: seededChance(seed), clock }
      const store = openableMaildirStore(
        { path: ROOT },
        { ...parts, rooms: new Map(), pause: async () => undefined, warn: () => undefined },
      )
      await store.open({ scope: SCOPE })
      return store
    }
    const keeper = await open(1)
    await keeper.insert([{ jobs: upTo(20).map((n) => newJob(`held-${n}`)) }])
    const other = await open(2)
    await soon(other.enlist(cardOf('node')))
    const ask = { queue: newJob('x').queue, worker: 'node/w', tasks: null, limit: 20, alone: false }
    const claim = { ...ask, claim: 1, idle: false }
    const { claimed } = await soon(other.exchange({ node: 'node', settle: [], claim: [claim] }))
    const held = claimed[0].jobs
    expect(held).toHaveLength(20)
    const taken: string[] = []
    await fill(keeper, taken)
    const lot = [{ jobs: [newJob('late', { queue: 'filler', payload: PAYLOAD })] }]
    await expect(soon(other.insert(lot))).rejects.toThrow(/full.*make room/is)
    for (const job of held) {
      const settle = [settlement(job, { kind: 'complete', result: null })]
      const { settled } = await soon(other.exchange({ node: 'node', settle, claim: [] }))
      expect(settled).toMatchObject([{ status: 'done' }])
    }
    room.bytes += 10 * MIB
    expect(await soon(other.insert(lot))).toMatchObject([[{ status: 'inserted' }]])
    const [found] = await soon(other.get([{ queue: 'filler', id: 'late' }]))
    expect(found?.kind).toBe('job')
  })
})
