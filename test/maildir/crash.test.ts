// The power goes, or the process is killed, at every call of every operation; everything that may be
// left of the folder is opened by the next keeper: nothing that was answered is lost, nothing is torn
// or in two places, and whoever opens it after that finds the same.
import { afterAll, describe, expect, it } from 'vitest'
import { SimDisk } from '../../src/testing/sim-disk.js'
import type { CrashProfile } from '../../src/testing/sim-disk.js'
import type { Disk } from '../../src/disk/disk.js'
import type { Porter, PorterParts } from '../../src/stores/maildir/porter.js'
import { seededChance } from '../../src/time/virtual.js'
import { isCut, isUsable } from '../file/crash-points.js'
import { Promises } from '../file/promises.js'
import { STORIES } from '../file/stories.js'
import type { Story } from '../file/stories.js'
import { watchedDisk } from '../file/watched-disk.js'
import { hostAt, openHandle, SCOPE, ROOT } from './machine.js'
import type { Handle, Hands, Process } from './machine.js'
import { LatePorter } from './late-porter.js'
import { readAgain, wordsOf } from './read-again.js'
import { readOnlyDisk } from './read-only-disk.js'

/** `MILLRACE_TORTURE=crash` looks at many more. */
const isLong = process.env.MILLRACE_TORTURE === 'crash'
const STATES = isLong ? Number(process.env.MILLRACE_TORTURE_STATES ?? 200) : 2
/** Of the calls every so many is the last, but in the long form all; each profile begins elsewhere. */
const STRIDE = isLong ? 1 : Number(process.env.MILLRACE_TORTURE_STRIDE ?? 59)
const NESTED_EVERY = isLong ? 7 : 100
const NESTED_STATES = isLong ? 8 : 2
const A_DAY = 24 * 3_600_000

const PROFILES: readonly CrashProfile[] = ['kill', 'any-subset', 'ext4-ordered']
const ONE_LOG = 1024 * 1024
const SHORT_LOG = 1_500
const MACHINES: Readonly<Record<string, Pick<Process, 'segmentBytes' | 'porter'>>> = {
  'one log': { segmentBytes: ONE_LOG },
  'a log that is cleared all the time': { segmentBytes: SHORT_LOG },
  'one log, a late porter': { segmentBytes: ONE_LOG, porter: late },
  'a log that is cleared all the time, a late porter': { segmentBytes: SHORT_LOG, porter: late },
}

function late(parts: PorterParts): Porter {
  return new LatePorter(parts)
}

interface Ask {
  readonly story: Story
  readonly profile: CrashProfile
  readonly machine: (typeof MACHINES)[string]
}

interface Told {
  readonly disk: SimDisk
  readonly hands: Hands
  readonly promises: Promises
  readonly calls: number
  readonly where: string
}

/** The call with that number is not made, nor any after it. */
async function tell({ story, machine: its }: Ask, cut: number): Promise<Told> {
  const disk = new SimDisk()
  const hands: Hands = { ms: 1_000_000 }
  const promises = new Promises()
  const fork = disk.fork()
  let [calls, operation, where, handles] = [0, '', 'at the end', 0]
  const watched = watchedDisk(fork, (change, path) => {
    if (++calls !== cut) return
    where = `cut in "${operation}" before call ${cut}, ${change} ${path}`
    fork.cut()
  })
  const host = hostAt(hands, 1, 1)
  const machine: Process = { disk: watched, host, rooms: new Map(), ...its }
  const ended = story({
    promises,
    pass: (ms) => (hands.ms += ms),
    says: (what) => (operation = what),
    open: async () => {
      const { store, warnings } = await openHandle(machine, ++handles)
      return { store, warnings, book: () => [] }
    },
  })
  const [told] = await Promise.allSettled([ended])
  if (told.status === 'rejected' && !isCut(told.reason)) throw told.reason
  return { disk, hands, promises, calls, where }
}

/** After a kill the host goes on; after a power cut it starts anew. */
function recover(ask: Ask, told: Told, disk: Disk, pid: number): Promise<Handle> {
  const host = hostAt(told.hands, ask.profile === 'kill' ? 1 : 2, pid)
  return openHandle({ disk, host, rooms: new Map(), ...ask.machine }, pid)
}

async function survives(ask: Ask, told: Told, left: SimDisk, where: string): Promise<void> {
  try {
    // Before anybody mends anything, and without a call that changes something.
    if (left.facts(`${ROOT}/FORMAT`) !== null) {
      const onlooker = await recover(ask, told, readOnlyDisk(left.fork()), 9)
      await told.promises.check(onlooker.store)
    }
    const first = await recover(ask, told, left.fork(), 2)
    await told.promises.check(first.store)
    await isUsable(first, where)
    const host = hostAt(told.hands, ask.profile === 'kill' ? 1 : 2, 2)
    const again = await readAgain({ disk: left.fork(), host, root: ROOT, scope: SCOPE })
    const second = await recover(ask, told, left.fork(), 3)
    await told.promises.check(second.store)
    expect(wordsOf(again).length, 'who looks on').toBeGreaterThan(0)
  } catch (error) {
    if (error instanceof Error) error.message = `${where}\n${error.message}`
    throw error
  }
}

/** How many states were looked at. */
async function crashRecovery(ask: Ask, told: Told, left: SimDisk, where: string): Promise<number> {
  let states = 0
  let calls = Infinity
  for (let cut = 1; cut <= calls; cut++) {
    const disk = left.crash('kill', seededChance(1))
    const fork = disk.fork()
    let made = 0
    const watched = watchedDisk(fork, () => void (++made === cut && fork.cut()))
    const [opened] = await Promise.allSettled([recover(ask, told, watched, 2)])
    if (opened.status === 'rejected' && !isCut(opened.reason)) throw opened.reason
    if (made < cut) calls = made
    for (const again of disk.crashStates(ask.profile, NESTED_STATES, seededChance(cut))) {
      states++
      const how = `${where}\nand again, before call ${cut} of the recovery:\n${again.story.join('\n')}`
      await survives(ask, told, again, how)
    }
  }
  return states
}

function firstCut(profile: CrashProfile): number {
  return 1 + Math.floor((PROFILES.indexOf(profile) * STRIDE) / PROFILES.length)
}

describe('a maildir whose power goes at any call', () => {
  const total = { points: 0, states: 0, nested: 0 }
  afterAll(() => console.log(`maildir: ${JSON.stringify(total)}`))

  for (const [name, story] of Object.entries(STORIES)) {
    for (const [size, machine] of Object.entries(MACHINES)) {
      it.each(PROFILES)(
        `keeps its promises: ${name}, ${size} (%s)`,
        { timeout: STRIDE === 1 ? A_DAY : 240_000 },
        async (profile) => {
          const ask = { story, profile, machine }
          const whole = await tell(ask, Infinity)
          for (let cut = firstCut(profile); cut <= whole.calls + STRIDE; cut += STRIDE) {
            const told = await tell(ask, cut)
            total.points++
            for (const left of told.disk.crashStates(profile, STATES, seededChance(cut))) {
              total.states++
              const where = `${told.where}, ${profile}:\n${left.story.join('\n')}`
              await survives(ask, told, left.crash('kill', seededChance(1)), where)
              if (total.states % NESTED_EVERY > 0) continue
              total.nested += await crashRecovery(ask, told, left, where)
            }
          }
        },
      )
    }
  }
})
