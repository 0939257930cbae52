// Looks without the keeper's help: on a folder that may not be written to, on one that nobody keeps,
// and on one whose keeper stands still; and while the keeper goes on, they are of one moment.
import { describe, expect, it } from 'vitest'
import { discardAs, newJob, QUEUE, unique, upTo } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { SimDisk } from '../../src/testing/sim-disk.js'
import type { Disk } from '../../src/disk/disk.js'
import { LEASE } from '../../src/job/defaults.js'
import { MillraceError } from '../../src/job/errors.js'
import { glimpse } from '../../src/stores/maildir/glimpse.js'
import { layoutOf } from '../../src/stores/maildir/layout.js'
import { openableMaildirStore } from '../../src/stores/maildir/maildir-store.js'
import type { Store } from '../../src/store.js'
import type { Clock } from '../../src/time/clock.js'
import { seededChance, VirtualClock } from '../../src/time/virtual.js'
import { virtualHost } from '../conformance/virtual-host.js'
import { hostAt, openHandle, ROOT, SCOPE } from './machine.js'
import type { Handle, Process } from './machine.js'
import { readOnlyDisk } from './read-only-disk.js'
import { wordsOf } from './read-again.js'

const PAGE = { limit: 1_000, cursor: null }
const HANDS = { ms: 1_000_000 }

/** A process that nobody knows to be dead, and that thinks so of all others. */
function processOn(disk: Disk, pid: number): Process {
  const host = { ...hostAt(HANDS, 1, pid), up: () => HANDS.ms, liveness: () => 'alive' as const }
  return { disk, host, rooms: new Map(), segmentBytes: 1024 * 1024 }
}

async function shows(store: Store): Promise<unknown> {
  const { items: queues } = await store.queues(PAGE)
  const { items: jobs } = await store.list({ queue: QUEUE, which: {}, page: PAGE })
  const found = await store.get(jobs)
  const explained = await store.explain(jobs)
  return { queues, jobs, found, explained, settings: await store.settings(QUEUE) }
}

/** One of each: waiting, running, ended and dead, and a queue with settings. */
async function fill({ store }: Handle): Promise<void> {
  const node = await PlayedNode.enlist(store, cardOf('node'))
  await store.declare(QUEUE, { concurrency: 3, keep: { completed: { count: 10, for: Infinity } } })
  await store.insert(upTo(4).map((n) => ({ jobs: [newJob(`job-${n}`)] })))
  const take = () => {
    HANDS.ms++ // a name tells when a claim was made as exactly as tokens are apart
    return node.take()
  }
  await node.settle(await take(), { kind: 'complete', result: null })
  await node.settle(await take(), discardAs('unused'))
  await take()
}

function bytesIn(disk: SimDisk, folder: string): string[] {
  return disk.list(folder).flatMap((name) => {
    const path = `${folder}/${name}`
    const facts = disk.facts(path)
    return facts?.kind === 'folder' ? bytesIn(disk, path) : [`${path} ${facts?.size}`]
  })
}

/** A folder that nobody keeps any more: what its last keeper showed, and its bytes. */
async function left() {
  const disk = new SimDisk()
  const first = await openHandle(processOn(disk.fork(), 1), 1)
  await fill(first)
  const told = await shows(first.store)
  await first.store.close()
  return { disk, told, before: bytesIn(disk, ROOT) }
}

describe('a look at a maildir', () => {
  it.each(['EROFS', 'EACCES', 'EPERM'] as const)(
    'needs no more than to read: nobody keeps it, and whatever changes something fails with %s',
    async (code) => {
      const { disk, told, before } = await left()
      const onlooker = await openHandle(processOn(readOnlyDisk(disk.fork(), code), 2), 2)
      expect(await shows(onlooker.store)).toEqual(told)
      const refused = await onlooker.store.insert([{ jobs: [newJob('late')] }]).catch(String)
      expect(refused).toMatch(/STORE_UNREACHABLE.*may only look at/s)
      await onlooker.store.close()
      expect(bytesIn(disk, ROOT)).toEqual(before)
      expect(onlooker.warnings).toEqual([])
    },
  )

  it('needs no more than to read while another process keeps it, its log and its mail included', async () => {
    const disk = new SimDisk()
    const keeper = await openHandle(processOn(disk.fork(), 1), 1)
    await fill(keeper)
    const writer = await openHandle(processOn(disk.fork(), 2), 2)
    // The keeper has not taken it in: nobody has told it.
    await writer.store.insert([{ jobs: [newJob('mail')] }])
    const onlooker = await openHandle(processOn(readOnlyDisk(disk.fork()), 3), 3)
    const { items } = await onlooker.store.list({ queue: QUEUE, which: {}, page: PAGE })
    const states = items.map(({ id, state }) => `${id} ${state}`).sort()
    expect(states).toEqual([
      ...['job-0 completed', 'job-1 discarded', 'job-2 running', 'job-3 available'],
      'mail available',
    ])
  })

  it('tells that there is no maildir, or one of another version', async () => {
    const disk = new SimDisk()
    disk.makeFolder(ROOT)
    const look = (): Promise<Handle> => openHandle(processOn(disk.fork(), 2), 2, { access: 'look' })
    await expect(look()).rejects.toThrow('STORE_UNREACHABLE')
    const format = disk.create(`${ROOT}/FORMAT`)
    format.write(Buffer.from('millrace-maildir 99 abc\n'))
    format.close()
    await expect(look()).rejects.toThrow('FORMAT_UNSUPPORTED')
    expect(disk.list(ROOT)).toEqual(['FORMAT'])
  })

  it('makes no keeper of who says that he only looks, and lets him change nothing', async () => {
    const { disk, told, before } = await left()
    const onlooker = await openHandle(processOn(disk.fork(), 2), 2, { access: 'look' })
    expect(await shows(onlooker.store)).toEqual(told)
    const [pause] = await Promise.allSettled([
      onlooker.store.control({ kind: 'pause', queue: QUEUE, group: null, by: 'me' }, null),
    ])
    expect(pause.status === 'rejected' && MillraceError.is(pause.reason, 'OPTION_INVALID')).toBe(
      true,
    )
    await onlooker.store.close()
    expect(bytesIn(disk, ROOT)).toEqual(before)
  })

  it('becomes a keeper again when the folder may be written to', async () => {
    const disk = new SimDisk()
    await (await openHandle(processOn(disk.fork(), 1), 1)).store.close()
    let isLocked = true
    const [locked, free] = [readOnlyDisk(disk), disk.fork()]
    const switched = new Proxy(free, {
      get: (_, name: keyof Disk) => {
        const to: Disk = isLocked ? locked : free
        return to[name].bind(to)
      },
    })
    const { store } = await openHandle(processOn(switched, 2), 2)
    await expect(store.insert([{ jobs: [newJob('a')] }])).rejects.toThrow('may only look at')
    isLocked = false
    await store.insert([{ jobs: [newJob('a')] }])
    expect((await store.list({ queue: QUEUE, which: {}, page: PAGE })).items).toHaveLength(1)
    await store.close()
  })
})

describe('a look at a maildir whose keeper stands still', () => {
  const clock = new VirtualClock()
  const disk = new SimDisk({ now: () => clock.wall() })

  /** None of its timers runs while it is stopped. */
  function stoppable(isStopped: () => boolean): Clock {
    return {
      wall: () => clock.wall(),
      mono: () => clock.mono(),
      after: (delay, run) => {
        const go = (): void => void (isStopped() ? clock.after(1, go) : run())
        return clock.after(delay, go)
      },
      soon: (run) => clock.soon(run),
      within: (run) => clock.within(run),
    }
  }

  async function open(seed: number, isStopped = (): boolean => false): Promise<Store> {
    const parts = { disk: disk.fork(), host: virtualHost(clock), chance: seededChance(seed) }
    const store = openableMaildirStore(
      { path: ROOT },
      { ...parts, clock: stoppable(isStopped), rooms: new Map(), pause: async () => undefined },
    )
    await store.open({ scope: SCOPE })
    return store
  }

  async function soon<T>(answer: Promise<T>, ms: number): Promise<T> {
    const [answered] = await Promise.all([answer, clock.advance(ms)])
    return answered
  }

  it('is answered from the folder, at once from then on, and by the keeper when it goes on', async () => {
    let isStopped = false
    const keeper = await open(1, () => isStopped)
    await keeper.insert([{ jobs: [newJob('a')] }, { jobs: [newJob('b')] }])
    const other = await open(2)
    isStopped = true
    const asked = clock.mono()
    let answeredAt = Infinity
    const first = other.list({ queue: QUEUE, which: {}, page: PAGE }).finally(() => {
      answeredAt = clock.mono()
    })
    expect((await soon(first, LEASE / 2)).items).toHaveLength(2)
    expect(answeredAt - asked).toBeLessThan(LEASE / 4)
    const posted = disk.list(`${ROOT}/${SCOPE}/.keeper/post`)
    expect(posted, 'what was asked is withdrawn').toEqual(['drafts'])
    const again = await other.count({ queue: QUEUE, which: {}, cursor: null })
    expect(again.counts.available).toBe(2)
    const late = other.insert([{ jobs: [newJob('c', { unique: unique('k') })] }])
    isStopped = false
    await soon(late, 10_000)
    const [found] = await soon(other.get([{ queue: QUEUE, id: 'c' }]), 1_000)
    expect(found?.kind).toBe('job')
    await Promise.all([keeper.close(), other.close()])
  })
})

describe('a look at a maildir while its keeper goes on', () => {
  const JOBS = 600
  const SLICES = 4

  /** `between`: what the keeper does while letters are read, by the number of the slice. */
  async function lookWhile(between: (keeper: Handle, slice: number) => Promise<void>) {
    const disk = new SimDisk()
    const keeping = processOn(disk.fork(), 1)
    const keeper = await openHandle(keeping, 1)
    await keeper.store.insert([{ jobs: upTo(JOBS).map((n) => newJob(`job-${n}`)) }])
    const room = await keeping.rooms.values().next().value
    if (room === undefined) throw new Error('the store has no room')
    await room.tend()
    let slice = 0
    const parts = { ...processOn(disk.fork(), 2), layout: layoutOf(ROOT, SCOPE), lease: LEASE }
    const seen = await glimpse({
      ...{ ...parts, hostname: 'host', nonce: 'n', pid: 2 },
      pause: async () => {
        if (slice < SLICES) await between(keeper, slice++)
      },
    })
    expect(slice).toBe(SLICES)
    const { ledger } = seen.book
    ledger.now = room.book.ledger.now
    expect(wordsOf(ledger)).toEqual(wordsOf(room.book.ledger))
    expect(ledger.columns.used).toBeGreaterThanOrEqual(JOBS)
  }

  async function work({ store }: Handle, slice: number): Promise<void> {
    const node = await PlayedNode.enlist(store, cardOf(`node-${slice}`))
    await store.insert([{ jobs: upTo(50).map((n) => newJob(`late-${slice}-${n}`)) }])
    const { jobs } = await node.claim({ limit: 100 })
    for (const [at, job] of jobs.entries()) {
      if (at % 3 === 0) await node.settle(job, { kind: 'complete', result: null })
      if (at % 3 === 1) await node.settle(job, { kind: 'retry', delay: 0 })
    }
  }

  it('is of one moment, whatever moves meanwhile', async () => {
    await lookWhile(work)
  })

  it('is of one moment though the log is cleared meanwhile', async () => {
    await lookWhile(async (keeper, slice) => {
      await work(keeper, slice)
      const sweeper = await PlayedNode.enlist(keeper.store, cardOf('sweeper'))
      await sweeper.sweep()
    })
  })

  it('begins again when the log was cleared twice behind its back', async () => {
    await lookWhile(async (keeper, slice) => {
      if (slice > 1) return
      await work(keeper, slice)
      const sweeper = await PlayedNode.enlist(keeper.store, cardOf('sweeper'))
      await sweeper.sweep()
      await work(keeper, slice + 10)
      await sweeper.sweep()
    })
  })
})
