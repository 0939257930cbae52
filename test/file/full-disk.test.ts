// The disk fills up: new jobs are refused in clear words, what was begun can still be ended, and
// once there is room again everything goes on, without a restart of any process.
import { describe, expect, it } from 'vitest'
import { json, newJob, settlement, upTo } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { SimDisk } from '../../src/testing/sim-disk.js'
import type { Claimed } from '../../src/job/claim.js'
import { MillraceError } from '../../src/job/errors.js'
import type { Store } from '../../src/store.js'
import { seededChance } from '../../src/time/virtual.js'
import { fill } from './filling.js'
import { hostAt, openProcess, ROOT, SCOPE } from './machine.js'
import { smallDisk } from './small-disk.js'

const MIB = 1024 * 1024
/** Of the disk; the reserve is a part of it. */
const ROOM = 2 * MIB
const RESERVE = `${ROOT}/${SCOPE}/reserve`
const HELD = 200

async function machine() {
  const disk = new SimDisk()
  const room = { bytes: ROOM }
  const hands = { ms: 1_000_000 }
  const host = hostAt(hands, 1)
  const open = async (nonce: string): Promise<Store> => {
    const small = smallDisk(disk.fork(), ROOT, room)
    return (await openProcess({ disk: small, host, nonce })).store
  }
  return { disk, room, hands, open, hasReserve: () => disk.facts(RESERVE)?.size === MIB }
}

/** A worker that holds jobs, and a producer in another process that has filled the disk. */
async function full() {
  const made = await machine()
  const [worker, producer] = [await made.open('a'), await made.open('b')]
  const node = await PlayedNode.enlist(worker, cardOf('node-a'))
  await worker.insert([{ jobs: upTo(HELD).map((n) => newJob(`held-${n}`)) }])
  const held: readonly Claimed[] = (await node.claim({ limit: HELD })).jobs
  expect(held).toHaveLength(HELD)
  const taken: string[] = []
  const refusal = await fill(producer, taken)
  return { ...made, worker, producer, node, held, taken, refusal }
}

async function isThere(store: Store, queue: string, ids: readonly string[]): Promise<void> {
  const found = await store.get(ids.map((id) => ({ queue, id })))
  expect(found.map((one) => one?.kind)).toEqual(ids.map(() => 'job'))
}

describe('a full disk', () => {
  it('refuses new jobs in clear words, and has every job that it took, and no other', async () => {
    const { producer, worker, taken, refusal, hasReserve } = await full()
    expect(taken.length).toBeGreaterThan(50)
    expect(MillraceError.is(refusal.error, 'STORE_UNREACHABLE')).toBe(true)
    expect(String(refusal.error)).toMatch(/full.*make room/is)
    expect(hasReserve()).toBe(true)
    await isThere(producer, 'filler', taken)
    expect(await worker.get([{ queue: 'filler', id: refusal.id }])).toEqual([null])
    expect(await producer.get([{ queue: 'filler', id: refusal.id }])).toEqual([null])
  })

  const long = { timeout: 60_000 }
  it(
    'takes all verdicts of what runs, also while producers try on in other processes',
    long,
    async () => {
      const { worker, producer, node, held, taken, hasReserve } = await full()
      const before = taken.length
      for (const job of held) {
        const settled = await node.settle(job, { kind: 'complete', result: json('done') })
        expect(settled.status).toBe('done')
        await fill(producer, taken)
        await fill(worker, taken)
      }
      expect(hasReserve()).toBe(false)
      expect(taken.length - before, 'nobody eats what is kept for the verdicts').toBe(0)
      const found = await producer.get(held)
      expect(found.every((one) => one?.kind === 'receipt')).toBe(true)
    },
  )

  it('takes new jobs again as soon as there is room, and sets the reserve aside anew', async () => {
    const { worker, producer, node, held, taken, room, hasReserve } = await full()
    await node.settleAll(held.map((job) => settlement(job, { kind: 'complete', result: null })))
    expect(hasReserve()).toBe(false)
    room.bytes += 2 * MIB
    const before = taken.length
    await fill(producer, taken)
    expect(taken.length).toBeGreaterThan(before + 50)
    expect(hasReserve()).toBe(true)
    await isThere(worker, 'filler', taken)
  })

  it('sets the reserve aside anew at a sweep, when nobody puts anything in', async () => {
    const { node, held, room, hasReserve } = await full()
    await node.settleAll(held.map((job) => settlement(job, { kind: 'complete', result: null })))
    await node.sweep()
    expect(hasReserve()).toBe(false)
    room.bytes += 2 * MIB
    await node.sweep()
    expect(hasReserve()).toBe(true)
  })

  it('loses nothing of it to a power cut', async () => {
    const { disk, hands, node, held, taken } = await full()
    const half = held.slice(0, HELD / 2)
    await node.settleAll(half.map((job) => settlement(job, { kind: 'complete', result: json(1) })))
    for (const left of disk.crashStates('any-subset', 20, seededChance(1))) {
      const after = (await openProcess({ disk: left, host: hostAt(hands, 2), nonce: 'c' })).store
      await isThere(after, 'filler', taken)
      const found = await after.get(half)
      expect(found.every((one) => one?.kind === 'receipt')).toBe(true)
    }
  })
})
