// One process is killed at any of its calls, another goes on with what it left, and then the power
// goes at any of the other's calls. What both were answered is kept, whatever the disk kept.
import { describe, expect, it } from 'vitest'
import { QUEUE, json } from '../../src/testing/conformance/build.js'
import { LEASE } from '../../src/testing/conformance/played-node.js'
import { SimDisk } from '../../src/testing/sim-disk.js'
import type { CrashProfile } from '../../src/testing/sim-disk.js'
import { seededChance } from '../../src/time/virtual.js'
import { isCut, survives } from './crash-points.js'
import { hostAt, openProcess } from './machine.js'
import type { Process } from './machine.js'
import { Promises } from './promises.js'
import { Actor, words } from './stories.js'
import type { Stage } from './stories.js'
import { watchedDisk } from './watched-disk.js'

/** `npm run torture -- crash` looks at all of them. */
const isLong = process.env.MILLRACE_TORTURE === 'crash'
const STATES = isLong ? Math.ceil(Number(process.env.MILLRACE_TORTURE_STATES ?? 2_000) / 20) : 3
const A_DAY = 24 * 3_600_000

const PROFILES: readonly CrashProfile[] = ['any-subset', 'ext4-ordered']
/** Of the calls of the one who lives on, every so many is the last, but in the long form all. */
const SIZES = {
  'in one segment': { segmentBytes: 1024 * 1024, every: 1 },
  'rolling all the time': { segmentBytes: 1_500, every: 47 },
}

/** The jobs that the first holds when it dies, at one time or another. */
const HELD = ['done', 'held']

async function firstLife(actor: Actor): Promise<void> {
  await actor.insert('done')
  await actor.insert('held')
  await actor.insertUnique('key', ['first', 'second'])
  const done = await actor.take('done')
  await actor.settle(done, { kind: 'complete', result: json('yes') }, 'receipt completed')
  await actor.take('held')
  await actor.insertLots([['lot-1', 'lot-2', 'lot-3']])
}

/** What the other does with it: it waits for the lease, frees, and works. */
async function secondLife(actor: Actor, stage: Stage): Promise<void> {
  await actor.promises.look(actor.store)
  stage.pass(LEASE + 1)
  await actor.insert('mine')
  for (const id of HELD) {
    const [found] = await actor.store.get([{ queue: QUEUE, id }])
    const isRunning = found?.kind === 'job' && found.job.state === 'running'
    if (isRunning) actor.promises.may({ queue: QUEUE, id }, words(1, id))
  }
  await actor.sweep()
  for (const id of HELD) {
    const [found] = await actor.store.get([{ queue: QUEUE, id }])
    if (found?.kind !== 'job') continue
    const held = await actor.take(id, QUEUE, found.job.attempt + 1)
    await actor.settle(held, { kind: 'complete', result: json('at last') }, 'receipt completed')
  }
  await actor.close()
}

interface Ended {
  /** How many calls each made before it ended. */
  readonly first: number
  readonly second: number
  readonly states: number
}

interface Cuts {
  readonly profile: CrashProfile
  readonly segmentBytes: number
  /** The call before which the first is killed, and that of the second before which power goes. */
  readonly kill: number
  readonly cut: number
}

async function run({ profile, segmentBytes, kill, cut }: Cuts): Promise<Ended> {
  const disk = new SimDisk()
  const hands = { ms: 1_000_000 }
  const host = hostAt(hands, 1)
  const promises = new Promises()
  let where = ''
  const counted = (limit: () => number) => {
    const fork = disk.fork()
    const made = { calls: 0 }
    const watched = watchedDisk(fork, (change, path) => {
      if (++made.calls !== limit()) return
      where += ` before ${change} ${path}`
      fork.cut()
    })
    return { watched, made }
  }
  let limit = Infinity
  const [a, b] = [counted(() => kill), counted(() => limit)]
  const disks = [b.watched, a.watched]
  const stage: Stage = {
    promises,
    pass: (ms) => (hands.ms += ms),
    says: (what) => void (where = what),
    open: (): Promise<Process> => {
      const next = disks.shift() ?? expect.fail('two processes, no more')
      return openProcess({ disk: next, host, segmentBytes, nonce: `a${disks.length}` })
    },
  }
  const second = await Actor.enter(stage, 'b')
  await untilCut(async () => firstLife(await Actor.enter(stage, 'a')))
  const killed = where
  limit = b.made.calls + cut
  const before = b.made.calls
  await untilCut(() => secondLife(second, stage))
  const at = `killed in "${killed}", power cut in "${where}", ${profile}`
  let states = 0
  for (const left of disk.crashStates(profile, STATES, seededChance(kill * 1_000 + cut))) {
    states++
    const told = { hands, host, promises }
    await survives({ profile, segmentBytes }, told, left, `${at}:\n${left.story.join('\n')}`)
  }
  return { first: a.made.calls, second: b.made.calls - before, states }
}

async function untilCut(life: () => Promise<void>): Promise<void> {
  const [ended] = await Promise.allSettled([life()])
  if (ended.status === 'rejected' && !isCut(ended.reason)) throw ended.reason
}

describe('a process that was killed, and a power cut while another goes on', () => {
  for (const [size, { segmentBytes, every }] of Object.entries(SIZES)) {
    it.each(PROFILES)(
      `lose nothing that was answered: ${size} (%s)`,
      { timeout: isLong ? A_DAY : 120_000 },
      async (profile) => {
        const counted = { points: 0, states: 0 }
        const stride = isLong ? 1 : every
        const whole = await run({ profile, segmentBytes, kill: Infinity, cut: Infinity })
        for (let kill = 1; kill <= whole.first + 1; kill++) {
          let calls = Infinity
          for (let cut = 1 + (kill % stride); cut <= calls + stride; cut += stride) {
            const ended = await run({ profile, segmentBytes, kill, cut })
            if (ended.second < cut) calls = ended.second
            counted.points++
            counted.states += ended.states
          }
        }
        console.log(`${size}, ${profile}: ${JSON.stringify(counted)}`)
        expect(counted.points).toBeGreaterThan(100)
      },
    )
  }
})
