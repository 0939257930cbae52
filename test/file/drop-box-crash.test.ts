// A file in the drop box is one job, whatever happens on its way: the power goes at every call of the
// process that takes it in, runs it and forgets it. It is not lost, it is not there twice, and what was
// completed does not come back, however late.
import { describe, expect, it } from 'vitest'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { SimDisk } from '../../src/testing/sim-disk.js'
import type { CrashProfile } from '../../src/testing/sim-disk.js'
import type { Disk } from '../../src/disk/disk.js'
import { seededChance } from '../../src/time/virtual.js'
import { hostAt, openProcess, ROOT, SCOPE } from './machine.js'
import type { Hands, Process } from './machine.js'
import { watchedDisk } from './watched-disk.js'

const PROFILES: readonly CrashProfile[] = ['kill', 'any-subset', 'ext4-ordered']
const STATES = 40
const BOX = `${ROOT}/${SCOPE}/in/q`
/** Longer than any receipt is kept. */
const LONG_AFTER = 3_600_000

/** As somebody does who wants to be sure: write, sync, move in, sync. */
async function dropIn(disk: Disk): Promise<void> {
  disk.makeFolder(BOX)
  await disk.syncFolder(`${ROOT}/${SCOPE}/in`)
  const file = disk.create(`${BOX}/hello.json`)
  file.write(Buffer.from('"hello"'))
  await file.sync()
  await disk.syncFolder(BOX)
}

async function tidy(node: PlayedNode): Promise<void> {
  for (let round = 0; round < 3; round++) await node.sweep()
}

/** Takes the file in, runs its job, and lives on until even its receipt is gone. */
async function live(process: Process, hands: Hands, onDone: () => void): Promise<void> {
  const node = await PlayedNode.enlist(process.store, cardOf('node-a'))
  await tidy(node)
  const held = await node.take()
  await node.settle(held, { kind: 'complete', result: null })
  onDone()
  hands.ms += LONG_AFTER
  await tidy(node)
  await process.store.close()
}

interface Told {
  readonly disk: SimDisk
  readonly hands: Hands
  readonly calls: number
  readonly where: string
  readonly isDone: boolean
}

async function tell(cut: number): Promise<Told> {
  const disk = new SimDisk()
  const hands = { ms: 1_000_000 }
  const host = hostAt(hands, 1)
  const fork = disk.fork()
  let [calls, where, isDone, isCounting] = [0, 'at the end', false, false]
  const watched = watchedDisk(fork, (change, path) => {
    if (!isCounting || ++calls !== cut) return
    where = `before call ${cut}, ${change} ${path}`
    fork.cut()
  })
  const process = await openProcess({ disk: watched, host, nonce: 'a' })
  await dropIn(disk)
  isCounting = true
  const [ended] = await Promise.allSettled([live(process, hands, () => (isDone = true))])
  // What is beside the sweep swallows its own troubles; then the call after it meets the dead disk.
  if (ended.status === 'rejected' && where === 'at the end') throw ended.reason
  return { disk, hands, calls, where, isDone }
}

/** How often the job runs yet. */
async function runsAfter(disk: SimDisk, hands: Hands, boot: number): Promise<number> {
  const { store } = await openProcess({ disk, host: hostAt(hands, boot), nonce: 'b' })
  const node = await PlayedNode.enlist(store, cardOf('node-b'))
  hands.ms += LONG_AFTER
  await tidy(node)
  await tidy(node)
  const ran = await node.drain()
  hands.ms += LONG_AFTER
  await tidy(node)
  return ran.length + (await node.drain()).length
}

describe('a file in the drop box', () => {
  it.each(PROFILES)('is one job, wherever the power goes (%s)', async (profile) => {
    const whole = await tell(Infinity)
    expect(whole.isDone).toBe(true)
    let states = 0
    for (let cut = 1; cut <= whole.calls + 1; cut++) {
      const { disk, hands, where, isDone } = await tell(cut)
      for (const left of disk.crashStates(profile, STATES, seededChance(cut))) {
        states++
        const runs = await runsAfter(left, { ...hands }, profile === 'kill' ? 1 : 2)
        // Who was cut off in its verdict has no answer: it may hold, or the job runs again.
        const known = isDone ? [0] : where.includes('sync') ? [0, 1] : [1]
        expect(known, `${where}\n${left.story.join('\n')}`).toContain(runs)
      }
    }
    console.log(`${profile}: ${whole.calls} calls, ${states} states`)
  })
})
