// Crashing a story at every call that it makes on its disk, recovering from everything that each
// crash may leave, and crashing the recoveries too. What is counted: crash points, states that were
// recovered, and states that crashes within a recovery left.
import { expect } from 'vitest'
import { newJob } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { PowerCut, SimDisk } from '../../src/testing/sim-disk.js'
import type { CrashProfile } from '../../src/testing/sim-disk.js'
import type { Disk } from '../../src/disk/disk.js'
import type { Host } from '../../src/disk/host.js'
import type { Store } from '../../src/store.js'
import { seededChance } from '../../src/time/virtual.js'
import { hostAt, openProcess } from './machine.js'
import type { Hands, Process } from './machine.js'
import { Promises } from './promises.js'
import type { Story } from './stories.js'
import { watchedDisk } from './watched-disk.js'

/** What crashes, and how. */
export interface Machine {
  readonly profile: CrashProfile
  /** Small ones roll all the time, and are compacted. */
  readonly segmentBytes: number
}

export interface CrashAsk extends Machine {
  readonly story: Story
  /** The first call that is the last one [1], and after it every so many [1]. */
  readonly from?: number
  readonly every?: number
  /** States that are looked at for one crash, at most. */
  readonly states: number
  /** Of every so many states the recovery is crashed as well. */
  readonly nestedEvery: number
  /** States that are looked at for one crash within a recovery, at most. */
  readonly nestedStates: number
  /** What a broken twin sees in place of the disk. */
  readonly twist?: (disk: Disk) => Disk
}

export interface Counted {
  points: number
  states: number
  nested: number
}

/** What a crash leaves besides the disk. */
export interface Crashed {
  readonly hands: Hands
  readonly host: Host
  readonly promises: Promises
}

/** A story as far as it came. */
interface Told extends Crashed {
  readonly disk: SimDisk
  /** Calls that changed the disk or committed it. */
  readonly calls: number
  /** What was being done, and the call before which it ended. */
  readonly where: string
}

export async function crashEverywhere(ask: CrashAsk): Promise<Counted> {
  const whole = await tell(ask, Infinity)
  const counted = { points: 0, states: 0, nested: 0 }
  const { from = 1, every = 1 } = ask
  for (let cut = from; cut <= whole.calls + every; cut += every) {
    const told = await tell(ask, cut)
    counted.points++
    for (const left of told.disk.crashStates(ask.profile, ask.states, seededChance(cut))) {
      counted.states++
      const where = `${told.where}, ${ask.profile}:\n${left.story.join('\n')}`
      await survives(ask, told, left.crash('kill', seededChance(1)), where)
      if (counted.states % ask.nestedEvery > 0) continue
      counted.nested += await crashRecovery(ask, told, left, where)
    }
  }
  return counted
}

/** The call with that number is not made, nor any after it, by any process. */
async function tell(ask: CrashAsk, cut: number): Promise<Told> {
  const disk = new SimDisk()
  const hands: Hands = { ms: 1_000_000 }
  const host = hostAt(hands, 1)
  const promises = new Promises()
  const forks: SimDisk[] = []
  let [calls, operation, where] = [0, '', '']
  const turnstile = (change: string, path: string): void => {
    if (++calls !== cut) return
    where = `cut in "${operation}" before call ${cut}, ${change} ${path}`
    for (const fork of forks) fork.cut()
  }
  const ended = ask.story({
    promises,
    pass: (ms) => (hands.ms += ms),
    says: (what) => (operation = what),
    open: () => {
      const fork = disk.fork()
      if (calls >= cut) fork.cut()
      forks.push(fork)
      const watched = watchedDisk(fork, turnstile)
      const twisted = ask.twist?.(watched) ?? watched
      return openProcess({ ...processParts(ask, twisted, host), nonce: `a${forks.length}` })
    },
  })
  const [told] = await Promise.allSettled([ended])
  if (told.status === 'rejected' && !isCut(told.reason)) throw told.reason
  return { disk, hands, host, promises, calls, where: where === '' ? 'at the end' : where }
}

function processParts(
  ask: Machine,
  disk: Disk,
  host: Host,
): Omit<Parameters<typeof openProcess>[0], 'nonce'> {
  return { disk, host, segmentBytes: ask.segmentBytes }
}

export function isCut(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof PowerCut) return true
  return false
}

/** After a kill the host goes on; after a power cut it starts anew. */
function recover(ask: Machine, told: Crashed, disk: Disk, nonce: string): Promise<Process> {
  const host = ask.profile === 'kill' ? told.host : hostAt(told.hands, 2)
  return openProcess({ ...processParts(ask, disk, host), nonce })
}

/** Whoever opens what is left finds what was promised; and so does the next, and who lives on. */
export async function survives(
  ask: Machine,
  told: Crashed,
  left: SimDisk,
  where: string,
): Promise<void> {
  try {
    const process = await recover(ask, told, left.fork(), 'b1')
    await told.promises.check(process.store)
    await (await isUsable(process, where)).sweep()
    const last = await recover(ask, told, left.fork(), 'b2')
    expect(last.book(), 'who opens it later').toEqual(process.book())
  } catch (error) {
    if (error instanceof Error) error.message = `${where}\n${error.message}`
    throw error
  }
}

/** Jobs come and go in it; answers whose they were. */
export async function isUsable(
  { store }: { readonly store: Store },
  where: string,
): Promise<PlayedNode> {
  const node = await PlayedNode.enlist(store, cardOf('node-after'))
  await store.insert([{ jobs: [newJob('after', { queue: 'after' })] }])
  const held = await node.take({ queue: 'after' })
  expect(held.id, where).toBe('after')
  await node.settle(held, { kind: 'complete', result: null })
  return node
}

/** How many states were looked at. */
async function crashRecovery(
  ask: CrashAsk,
  told: Told,
  left: SimDisk,
  where: string,
): Promise<number> {
  let states = 0
  let calls = Infinity
  for (let cut = 1; cut <= calls; cut++) {
    const disk = left.crash('kill', seededChance(1))
    const fork = disk.fork()
    let made = 0
    const watched = watchedDisk(fork, () => void (++made === cut && fork.cut()))
    const [opened] = await Promise.allSettled([recover(ask, told, watched, 'c')])
    if (opened.status === 'rejected' && !isCut(opened.reason)) throw opened.reason
    if (made < cut) calls = made
    for (const again of disk.crashStates(ask.profile, ask.nestedStates, seededChance(cut))) {
      states++
      await survives(
        ask,
        told,
        again,
        `${where}\nand again, before call ${cut} of the recovery:\n${again.story.join('\n')}`,
      )
    }
  }
  return states
}
