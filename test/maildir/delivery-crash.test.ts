// The power goes, or a process is killed, at every call of a delivery, and at every call of the keeper
// that takes it in: what was answered is there once, and what was worked off does not come again.
import { describe, expect, it } from 'vitest'
import { newJob, QUEUE } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { SimDisk } from '../../src/testing/sim-disk.js'
import type { CrashProfile } from '../../src/testing/sim-disk.js'
import type { Disk } from '../../src/disk/disk.js'
import { openableMaildirStore } from '../../src/stores/maildir/maildir-store.js'
import type { Store } from '../../src/store.js'
import { seededChance } from '../../src/time/virtual.js'
import { isCut } from '../file/crash-points.js'
import { watchedDisk } from '../file/watched-disk.js'
import { hostAt, ROOT, SCOPE } from './machine.js'
import type { Hands } from './machine.js'

const PROFILES: readonly CrashProfile[] = ['kill', 'any-subset', 'ext4-ordered']
const STATES = 6

interface Seat {
  readonly disk: Disk
  readonly boot: number
  readonly pid: number
  /** Of whom it knows; all others are dead. */
  readonly knows?: number
}

async function sit(hands: Hands, { disk, boot, pid, knows = pid }: Seat): Promise<Store> {
  const host = hostAt(hands, boot, pid)
  const alive = [pid, knows].map((one) => `boot-${boot} ${one}`)
  const store = openableMaildirStore(
    { path: ROOT },
    {
      host: { ...host, liveness: (of) => (alive.includes(of ?? '') ? 'alive' : 'dead') },
      ...{ disk, chance: seededChance(pid), rooms: new Map(), warn: () => undefined },
      pause: async () => undefined,
    },
  )
  await store.open({ scope: SCOPE })
  return store
}

/** A letter is in the folder when the log was cleared. */
async function begin(
  hands: Hands,
): Promise<{ machine: SimDisk; keep: (disk: Disk) => Promise<Store> }> {
  const machine = new SimDisk()
  const first = await sit(hands, { disk: machine.fork(), boot: 1, pid: 1 })
  await first.insert([{ jobs: [newJob('first')] }])
  await first.close()
  return { machine, keep: (disk) => sit(hands, { disk, boot: 1, pid: 2 }) }
}

function cutDisk(machine: SimDisk, cut: number): { disk: Disk; calls: () => number } {
  const fork = machine.fork()
  let calls = 0
  const disk = watchedDisk(fork, () => {
    if (++calls === cut) fork.cut()
  })
  return { disk, calls: () => calls }
}

async function ids(store: Store): Promise<string[]> {
  const { items } = await store.list({ queue: QUEUE, which: {}, page: { limit: 10, cursor: null } })
  return items.map(({ id }) => id).sort()
}

/** Whatever is left is opened, worked off, and opened again. */
async function judge(hands: Hands, machine: SimDisk, profile: CrashProfile, isAnswered: boolean) {
  for (const left of machine.crashStates(profile, STATES, seededChance(7))) {
    const boot = profile === 'kill' ? 1 : 2
    const store = await sit(hands, { disk: left.fork(), boot, pid: 3 })
    const found = await ids(store)
    const allowed = isAnswered ? [['first', 'mail']] : [['first'], ['first', 'mail']]
    expect(allowed, left.story.join('\n')).toContainEqual(found)
    const node = await PlayedNode.enlist(store, cardOf('node'))
    for (const _ of found) await node.settle(await node.take(), { kind: 'complete', result: null })
    for (const again of left.crashStates(profile, 2, seededChance(8))) {
      expect(await ids(await sit(hands, { disk: again, boot: boot + 1, pid: 4 }))).toEqual([])
    }
  }
}

describe('a delivery into a maildir', () => {
  it.each(PROFILES)(
    'is there once, or not at all, wherever its writer ends (%s)',
    async (profile) => {
      for (let cut = 1, isCutOff = true; isCutOff; cut++) {
        const hands: Hands = { ms: 1_000_000 }
        const { machine, keep } = await begin(hands)
        await keep(machine.fork())
        const { disk, calls } = cutDisk(machine, cut)
        const writer = await sit(hands, { disk, boot: 1, pid: 6, knows: 2 })
        const [told] = await Promise.allSettled([writer.insert([{ jobs: [newJob('mail')] }])])
        if (told.status === 'rejected' && !isCut(told.reason))
          expect(told.reason).toHaveProperty('code')
        isCutOff = calls() >= cut
        await judge(hands, machine, profile, told.status === 'fulfilled')
      }
    },
  )

  it.each(PROFILES)(
    'is there once, wherever the keeper ends that takes it in (%s)',
    async (profile) => {
      for (let cut = 1, isCutOff = true; isCutOff; cut++) {
        const hands: Hands = { ms: 1_000_000 }
        const { machine, keep } = await begin(hands)
        let [from, made] = [Infinity, 0]
        const fork = machine.fork()
        const disk = watchedDisk(fork, () => {
          if (++made === from + cut) fork.cut()
        })
        const keeper = await keep(disk)
        const writer = await sit(hands, { disk: machine.fork(), boot: 1, pid: 6, knows: 2 })
        await writer.insert([{ jobs: [newJob('mail')] }])
        from = made
        machine.hint()
        const [closed] = await Promise.allSettled([keeper.close()])
        isCutOff = closed.status === 'rejected'
        await judge(hands, machine, profile, true)
      }
    },
  )
})
