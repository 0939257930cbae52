// A keeper that stood still could not hear anybody. What others had written meanwhile, that they live,
// it hears before it calls them silent: by its own sweep, and by that of another process.
import { beforeEach, describe, expect, it } from 'vitest'
import { newJob, QUEUE } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { SimDisk } from '../../src/testing/sim-disk.js'
import { openableMaildirStore } from '../../src/stores/maildir/maildir-store.js'
import type { Store } from '../../src/store.js'
import type { Clock } from '../../src/time/clock.js'
import { seededChance, VirtualClock } from '../../src/time/virtual.js'
import { virtualHost } from '../conformance/virtual-host.js'

/** Of the worker: shorter than the keeper's own, so that it is not followed. */
const LEASE = 3_000

let clock: VirtualClock
let disk: SimDisk
let isStopped: boolean

beforeEach(() => {
  clock = new VirtualClock()
  disk = new SimDisk({ now: () => clock.wall() })
  isStopped = false
})

/** While it is stopped its timers wait, as those of a process that stands still. */
function stoppable(): Clock {
  return {
    wall: () => clock.wall(),
    mono: () => clock.mono(),
    after: (delay, run) => {
      const go = (): void => void (isStopped ? clock.after(1, go) : run())
      return clock.after(delay, go)
    },
    soon: (run) => clock.soon(run),
    within: (run) => clock.within(run),
  }
}

async function open(seed: number, its: Clock = clock): Promise<Store> {
  const parts = { disk: disk.fork(), host: virtualHost(clock), chance: seededChance(seed) }
  const store = openableMaildirStore(
    { path: '/mail' },
    { ...parts, clock: its, rooms: new Map(), pause: async () => undefined },
  )
  await store.open({ scope: 'default' })
  return store
}

async function soon<T>(answer: Promise<T>): Promise<T> {
  const [answered] = await Promise.all([answer, clock.advance(1_000)])
  return answered
}

/** A keeper, and a worker in another process that holds a job. */
async function begin() {
  const keeper = await open(1, stoppable())
  await keeper.insert([{ jobs: [newJob('a')] }])
  const worker = await open(2)
  await soon(worker.enlist({ ...cardOf('worker'), lease: LEASE }))
  const ask = { queue: QUEUE, worker: 'worker/w', tasks: null, limit: 1, alone: false, idle: true }
  const asked = worker.exchange({ node: 'worker', settle: [], claim: [{ ...ask, claim: 1 }] })
  const { claimed } = await soon(asked)
  const [held] = claimed[0].jobs
  expect(held.id).toBe('a')
  const beat = () => worker.beat({ node: 'worker', upTo: 1, open: [1], overdue: [] })
  const isHeld = async (): Promise<boolean> => {
    const { lost } = await soon(worker.check({ node: 'worker', held: [held] }))
    return lost.length === 0
  }
  return { keeper, worker, beat, isHeld }
}

describe('a keeper that stood still for longer than the lease of a worker', () => {
  it('hears that it lives before it sweeps by itself', async () => {
    const { keeper, beat, isHeld } = await begin()
    isStopped = true
    const beating = beat()
    await clock.advance(LEASE + 1_000)
    isStopped = false
    const { freed } = await keeper.sweep({ node: 'keeper', limit: 10 })
    expect(freed).toBe(0)
    expect(await soon(beating)).toEqual({ gone: false })
    expect(await isHeld()).toBe(true)
  })

  it('hears that it lives before it sweeps for another process, in whatever order they wrote', async () => {
    for (const isFirst of [true, false]) {
      const { beat, isHeld } = await begin()
      const sweeper = await open(3)
      isStopped = true
      const sweep = () => sweeper.sweep({ node: 'sweeper', limit: 10 })
      const written = isFirst ? [sweep(), beat()] : [beat(), sweep()]
      await clock.advance(LEASE + 1_000)
      isStopped = false
      await soon(Promise.all(written))
      expect(await isHeld()).toBe(true)
      clock = new VirtualClock()
      disk = new SimDisk({ now: () => clock.wall() })
    }
  })

  it('does not take it for the silence of its own workers, whose beats it could not send', async () => {
    const { keeper, worker } = await begin()
    const own = await PlayedNode.enlist(keeper, { ...cardOf('own'), lease: LEASE })
    await keeper.insert([{ jobs: [newJob('b')] }])
    const held = await own.take()
    isStopped = true
    const sweeping = worker.sweep({ node: 'worker', limit: 10 })
    await clock.advance(LEASE + 1_000)
    isStopped = false
    expect((await soon(sweeping)).freed).toBe(0)
    expect((await own.settle(held, { kind: 'complete', result: null })).status).toBe('done')
  })

  it('still gives to others what a worker held that says nothing', async () => {
    const { keeper } = await begin()
    await clock.advance(LEASE + 1_000)
    expect((await keeper.sweep({ node: 'keeper', limit: 10 })).freed).toBe(1)
  })
})
