// Two processes on one log, the second of which acts in the worst moment of the first: after it has
// decided, before its write. And one that is killed in the middle of a write. Each story ends with
// what both believe, so that a test, or a broken twin, can be judged by it.
import { newJob, RELEASE, settlement, unique } from '../../src/testing/conformance/build.js'
import { cardOf, LEASE, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { PowerCut, SimDisk } from '../../src/testing/sim-disk.js'
import type { Disk } from '../../src/disk/disk.js'
import type { Store } from '../../src/store.js'
import { hostAt, openProcess, SCOPE } from './machine.js'
import type { Process } from './machine.js'
import { watchedDisk } from './watched-disk.js'
import { withFiles } from './with-files.js'

/** What stands in the way of the first process. */
export type Twist = (disk: Disk) => Disk

export interface Pair {
  readonly a: Process
  readonly b: Process
  readonly nodeA: PlayedNode
  readonly nodeB: PlayedNode
  /** Somebody who reads the whole log now. */
  fresh(): Promise<Process>
  pass(ms: number): void
  /** What B does before A's next write. What it answers is awaited with A's own answer. */
  before<T>(rival: () => Promise<unknown>, act: () => Promise<T>): Promise<T>
}

export const isLog = (path: string): boolean => path.includes(`/${SCOPE}/log/`)

export async function pair(twist: Twist = (disk) => disk): Promise<Pair> {
  const disk = new SimDisk()
  const hands = { ms: 1_000_000 }
  const host = hostAt(hands, 1)
  let rival: (() => Promise<unknown>) | null = null
  let acted: Promise<unknown> = Promise.resolve()
  const watched = watchedDisk(disk.fork(), (change, path) => {
    if (change !== 'write' || !isLog(path) || rival === null) return
    const act = rival
    rival = null
    acted = act()
  })
  const a = await openProcess({ disk: twist(watched), host, nonce: 'a' })
  const b = await openProcess({ disk: disk.fork(), host, nonce: 'b' })
  return {
    a,
    b,
    nodeA: await PlayedNode.enlist(a.store, cardOf('node-a')),
    nodeB: await PlayedNode.enlist(b.store, cardOf('node-b')),
    fresh: () => openProcess({ disk: disk.fork(), host, nonce: 'c' }),
    pass: (ms) => (hands.ms += ms),
    before: async (first, act) => {
      rival = first
      const answer = await act()
      if (rival !== null) throw new Error('A wrote nothing, so B did not act')
      await acted
      return answer
    },
  }
}

/** A and B claim the one job that there is; answers how many of them believe that they hold it. */
export async function bothClaim({ b, nodeA, nodeB, before }: Pair): Promise<number> {
  await b.store.insert([{ jobs: [newJob('only')] }])
  const given: string[] = []
  const rival = async (): Promise<void> => {
    given.push(...(await nodeB.claim()).jobs.map(({ id }) => id))
  }
  const { jobs } = await before(rival, () => nodeA.claim())
  return given.length + jobs.length
}

/** A and B insert with one key; answers what each was told. */
export async function bothHoldAKey({ a, b, before }: Pair): Promise<string[]> {
  const put = (store: Store, id: string) =>
    store.insert([{ jobs: [newJob(id, { unique: unique('k') })] }])
  let told: Awaited<ReturnType<typeof put>> = []
  const rival = async (): Promise<void> => {
    told = await put(b.store, 'of-b')
  }
  const answer = await before(rival, () => put(a.store, 'of-a'))
  return [...answer, ...told].flatMap((one) => one ?? []).map(({ status }) => status)
}

/** B fell silent and A would free its job; in that very moment B beats. Answers what B holds. */
export async function sweptAliveAgain({ a, nodeA, nodeB, pass, before }: Pair): Promise<number> {
  await a.store.insert([{ jobs: [newJob('held')] }])
  const held = await nodeB.take()
  pass(LEASE + 1)
  const swept = await before(
    () => nodeB.beat(),
    () => nodeA.sweep(),
  )
  const { lost } = await nodeB.check([held])
  return 1 - lost.length - swept.freed
}

/** B fell silent and A would free its job; in that very moment B completes it. */
export async function sweptDone({ a, nodeA, nodeB, pass, before }: Pair): Promise<string[]> {
  await a.store.insert([{ jobs: [newJob('done')] }])
  const held = await nodeB.take()
  pass(LEASE + 1)
  let status = 'unsaid'
  const rival = async (): Promise<void> => {
    status = (await nodeB.settle(held, { kind: 'complete', result: null })).status
  }
  await before(rival, () => nodeA.sweep())
  const { jobs } = await nodeA.claim()
  return [status, ...jobs.map(({ id }) => id)]
}

/** A releases a job that B cancels in the same moment, and another one that stays. */
export async function settledAndCancelled({ a, b, nodeA, before }: Pair): Promise<string[]> {
  await a.store.insert([{ jobs: [newJob('x'), newJob('y')] }])
  const { jobs } = await nodeA.claim()
  const which = { ids: ['x'] }
  const cancel = { kind: 'cancel', queue: jobs[0].queue, which, reason: null } as const
  const settled = await before(
    () => b.store.control(cancel, null),
    () => nodeA.settleAll(jobs.map((job) => settlement(job, RELEASE))),
  )
  return settled.map((one) => (one.status === 'done' ? one.state : one.status))
}

/** Both say something of one queue; answers what stands in the end and how often it was said. */
export async function bothDeclare({ a, b, before }: Pair): Promise<readonly unknown[]> {
  await before(
    () => b.store.declare('q', { attempts: 2 }),
    () => a.store.declare('q', { attempts: 3 }),
  )
  const { declared, revision } = await b.store.settings('q')
  return [declared, revision]
}

/**
 * A is killed after so many bytes of a lot's frame; then B goes on. Answers the ids that B and a
 * reader of the whole log find; null when the frame is not as long.
 */
export async function killedInAWrite(bytes: number): Promise<readonly string[][] | null> {
  const disk = new SimDisk()
  const fork = disk.fork()
  let isArmed = false
  let isWhole = false
  const torn = withFiles(fork, (file) => ({
    write: (all) => {
      if (!isArmed || !isLog(file.path)) return file.write(all)
      isWhole = bytes >= all.length
      file.write(all.subarray(0, bytes))
      fork.cut()
      throw new PowerCut('killed in the middle of a write')
    },
  }))
  const host = hostAt({ ms: 1_000_000 }, 1)
  const a = await openProcess({ disk: torn, host, nonce: 'a' })
  await a.store.insert([{ jobs: [newJob('before')] }])
  isArmed = true
  const lot = { jobs: [newJob('lot-1'), newJob('lot-2'), newJob('lot-3')] }
  const [ended] = await Promise.allSettled([a.store.insert([lot])])
  if (ended.status === 'fulfilled') throw new Error('who was killed in its write has no answer')
  if (isWhole) return null
  const b = await openProcess({ disk: disk.fork(), host, nonce: 'b' })
  await b.store.insert([{ jobs: [newJob('after')] }])
  const c = await openProcess({ disk: disk.fork(), host, nonce: 'c' })
  return Promise.all([b, c].map(({ store }) => ids(store)))
}

export async function ids(store: Store): Promise<string[]> {
  const page = await store.list({ queue: 'q', which: {}, page: { limit: 100, cursor: null } })
  return page.items.map(({ id }) => id).sort()
}
