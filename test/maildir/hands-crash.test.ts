// The power goes, or the process is killed, at every call of a keeper that takes what a person's hand
// did in its folders: no job is lost or doubled, what was meant takes effect or is there to be taken,
// and what was meant by nobody lies in quarantine with its reason.
import { describe, expect, it } from 'vitest'
import { discardAs, newJob, QUEUE } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { SimDisk } from '../../src/testing/sim-disk.js'
import type { CrashProfile } from '../../src/testing/sim-disk.js'
import type { Disk } from '../../src/disk/disk.js'
import type { JobRecord } from '../../src/job/job.js'
import type { Rooms } from '../../src/stores/maildir/maildir-store.js'
import { seededChance } from '../../src/time/virtual.js'
import { isCut } from '../file/crash-points.js'
import { watchedDisk } from '../file/watched-disk.js'
import type { Host } from '../../src/disk/host.js'
import { hostAt, openHandle, ROOT, SCOPE } from './machine.js'
import type { Handle, Hands } from './machine.js'

const PROFILES: readonly CrashProfile[] = ['kill', 'any-subset', 'ext4-ordered']
const STATES = 4
const FOLDER = `${ROOT}/${SCOPE}/${QUEUE}`
const QUARANTINE = `${ROOT}/${SCOPE}/.keeper/quarantine`
const A_MINUTE = 60_000

/** What became of the job of that deed. */
interface Outcome {
  readonly job: JobRecord | null
  /** What lies in quarantine, without the reasons. */
  readonly away: readonly string[]
}

interface Deed {
  /** Whose letter it is done to. */
  readonly id: 'waits' | 'died'
  do(disk: Disk, path: string): void
  /** In words; undone by the power cut is always allowed. */
  became(outcome: Outcome): string
  readonly allowed: readonly string[]
  readonly undone: string
}

function replace(disk: Disk, path: string, change: (text: string) => string): void {
  const old = disk.read(path)
  const bytes = Buffer.alloc(old.size())
  old.readAt(0, bytes)
  old.close()
  const draft = `${FOLDER}/tmp/edited`
  const file = disk.create(draft)
  file.write(Buffer.from(change(bytes.toString())))
  file.syncNow()
  file.close()
  disk.rename(draft, path)
}

const stateOf = ({ job }: Outcome): string => job?.state ?? 'gone'

const DEEDS: Readonly<Record<string, Deed>> = {
  'a letter that is moved out of dead into new': {
    id: 'died',
    do: (disk, path) => disk.rename(path, path.replace('/dead/', '/new/')),
    became: ({ job }) => `${job?.state} ${job?.attempt} ${job?.history.length}`,
    allowed: ['available 0 1'],
    undone: 'discarded 1 1',
  },
  'a letter that is removed': {
    id: 'waits',
    do: (disk, path) => disk.remove(path),
    became: stateOf,
    allowed: ['gone'],
    undone: 'available',
  },
  'a payload that is edited': {
    id: 'waits',
    do: (disk, path) =>
      replace(disk, path, (text) => text.replace(/"payload": .*/, '"payload": {"edited": true},')),
    became: ({ job }) => `${job?.state} ${job?.payload.text}`,
    allowed: ['available {"edited":true}'],
    undone: 'available {"of":"waits"}',
  },
  'a bad edit': {
    id: 'waits',
    do: (disk, path) => replace(disk, path, (text) => `${text}rot`),
    became: (outcome) =>
      `${stateOf(outcome)}, ${outcome.away.length > 0 ? 'rot put away' : 'no rot'}`,
    // Of a keeper that died before it had noticed the job is what was put away.
    allowed: ['available, rot put away', 'gone, rot put away'],
    undone: 'available, no rot',
  },
  'a letter that is moved where that means nothing': {
    id: 'waits',
    do: (disk, path) => disk.rename(path, path.replace('/new/', '/done/')),
    became: stateOf,
    allowed: ['available'],
    undone: 'available',
  },
  'a stranger': {
    id: 'waits',
    do: (disk) => {
      const file = disk.create(`${FOLDER}/new/note.txt`)
      file.write(Buffer.from('rot'))
      file.close()
    },
    became: (outcome) =>
      `${stateOf(outcome)}, ${outcome.away.length > 0 ? 'rot put away' : 'no rot'}`,
    allowed: ['available, rot put away'],
    undone: 'available, no rot',
  },
}

/** Its processes share its clock. */
function hostOf(hands: Hands, boot: number, pid: number): Host {
  return { ...hostAt(hands, boot, pid), up: () => hands.ms }
}

interface Told {
  readonly machine: SimDisk
  readonly hands: Hands
  readonly where: string
  readonly isCutOff: boolean
  /** It went on until the log was cleared. */
  readonly isOver: boolean
}

/** A keeper with letters in its folders, a deed, and the keeper's taking of it up to a call. */
async function tell(deed: Deed, cut: number): Promise<Told> {
  const hands: Hands = { ms: 1_000_000 }
  const machine = new SimDisk({ now: () => hostAt({ ms: 0 }, 0, 0).wall() + hands.ms })
  const fork = machine.fork()
  let [from, calls, where] = [Infinity, 0, 'at the end']
  const told = new Map<string, (name: string) => void>()
  const disk = {
    ...watchedDisk(fork, (change, path) => {
      if (++calls !== from + cut) return
      where = `before call ${cut} after the deed, ${change} ${path}`
      fork.cut()
    }),
    /** The system tells names. */
    watch: (path: string, onChange: (name: string) => void) => {
      told.set(path, onChange)
      return () => told.delete(path)
    },
  }
  const rooms: Rooms = new Map()
  const host = hostOf(hands, 1, 1)
  const { store } = await openHandle({ disk, host, rooms, segmentBytes: 1024 * 1024 }, 1)
  const node = await PlayedNode.enlist(store, cardOf('node'))
  await store.insert([{ jobs: [newJob('died')] }])
  await node.settle(await node.take(), discardAs('unused'))
  await store.insert([{ jobs: [newJob('waits')] }, { jobs: [newJob('other')] }])
  await node.sweep()
  const tray = deed.id === 'died' ? 'dead' : 'new'
  const name = machine.list(`${FOLDER}/${tray}`).find((one) => one.includes(`.${deed.id}:`)) ?? ''
  const room = await rooms.values().next().value
  // The keeper has heard of its own deeds long ago.
  for (const _ of ['once', 'twice']) {
    hands.ms += A_MINUTE
    room?.keeps()
  }
  deed.do(machine.fork(), `${FOLDER}/${tray}/${name}`)
  hands.ms += A_MINUTE
  from = calls
  const [taken] = await Promise.allSettled([take()])
  async function take(): Promise<void> {
    told.get(`${FOLDER}/${tray}`)?.(name)
    room?.attend(true)
    await room?.durable()
    await node.sweep()
  }
  if (taken.status === 'rejected' && !isCut(taken.reason)) throw taken.reason
  // What nobody waits for swallows the end of the world as it would any trouble.
  return {
    machine,
    hands,
    where,
    isCutOff: calls >= from + cut,
    isOver: taken.status === 'fulfilled',
  }
}

async function judge(deed: Deed, told: Told, profile: CrashProfile): Promise<string[]> {
  const seen: string[] = []
  for (const left of told.machine.crashStates(profile, STATES, seededChance(3))) {
    const boot = profile === 'kill' ? 1 : 2
    const next = await keep(left.fork(), told.hands, boot, 2)
    const where = `${told.where}, ${profile}:\n${left.story.join('\n')}`
    const { items } = await next.store.list({
      ...{ queue: QUEUE, which: {}, page: { limit: 10, cursor: null } },
    })
    const ids = items.map(({ id }) => id).sort()
    expect(new Set(ids).size, where).toBe(ids.length)
    for (const id of ['died', 'other', 'waits']) {
      if (id !== deed.id) expect(ids, where).toContain(id)
    }
    await next.store.close()
    expect(lettersIn(left), where).toEqual(ids)
    const job = items.find(({ id }) => id === deed.id) ?? null
    const became = deed.became({ job, away: awayIn(left, where) })
    const isSure = profile === 'kill' || (told.isOver && !told.isCutOff)
    const allowed = isSure ? deed.allowed : [...deed.allowed, deed.undone]
    expect(allowed, where).toContain(became)
    seen.push(became)
    // And whoever opens it after that finds the same.
    const again = await keep(left, told.hands, boot + 1, 3)
    const found = await again.store.list({
      ...{ queue: QUEUE, which: {}, page: { limit: 10, cursor: null } },
    })
    expect(found.items.map(({ id }) => id).sort(), where).toEqual(ids)
    expect(again.warnings, where).toEqual([])
  }
  return seen
}

function keep(disk: Disk, hands: Hands, boot: number, pid: number): Promise<Handle> {
  const host = hostOf(hands, boot, pid)
  return openHandle({ disk, host, rooms: new Map(), segmentBytes: 1024 * 1024 }, pid)
}

/** The ids of all letters of jobs, sorted. */
function lettersIn(disk: SimDisk): string[] {
  const trays = ['new', 'wait', 'cur', 'done', 'cancelled', 'dead']
  const names = trays.flatMap((tray) => disk.list(`${FOLDER}/${tray}`))
  return names.map((name) => /\.([a-z]+):2,/.exec(name)?.[1] ?? name).sort()
}

/** Each has a reason. */
function awayIn(disk: SimDisk, where: string): string[] {
  const names = disk.list(QUARANTINE)
  const away = names.filter((name) => !name.endsWith('.why'))
  for (const name of away) {
    expect(names, where).toContain(`${name}.why`)
    expect(disk.facts(`${QUARANTINE}/${name}.why`)?.size, where).toBeGreaterThan(0)
  }
  return away
}

describe('a keeper that ends while it takes what a hand did', () => {
  for (const [name, deed] of Object.entries(DEEDS)) {
    it.each(PROFILES)(`keeps its promises: ${name} (%s)`, { timeout: 60_000 }, async (profile) => {
      const seen = new Set<string>()
      let cuts = 0
      for (let isCutOff = true; isCutOff; cuts++) {
        const told = await tell(deed, cuts + 1)
        isCutOff = told.isCutOff
        for (const became of await judge(deed, told, profile)) seen.add(became)
      }
      expect(cuts).toBeGreaterThan(3)
      expect([...seen]).toContain(deed.allowed[0])
    })
  }
})
