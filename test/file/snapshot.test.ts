// Compaction: a snapshot and the log behind it say what the whole log says, to whoever begins from
// it, to whoever lives through it, and to whoever slept; and damage to it costs as little as it can.
import { describe, expect, it } from 'vitest'
import {
  QUEUE,
  completeWith,
  json,
  newJob,
  settlement,
} from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { SimDisk } from '../../src/testing/sim-disk.js'
import { turn } from '../../src/time/system.js'
import { seededChance } from '../../src/time/virtual.js'
import type { JobRef } from '../../src/job/job.js'
import type { NewJob } from '../../src/job/lot.js'
import type { SettingsLayer } from '../../src/job/settings.js'
import type { Host } from '../../src/disk/host.js'
import type { Verdict } from '../../src/job/verdict.js'
import { hostAt, openProcess, quiet, ROOT } from './machine.js'
import type { Hands, Process } from './machine.js'
import { watchedDisk } from './watched-disk.js'

const BASE = `${ROOT}/default`
const SEGMENT_BYTES = 4 * 1024

interface Machine {
  readonly disk: SimDisk
  readonly hands: Hands
  /** What a crash leaves of it, when only the processes die. */
  survivor(disk?: SimDisk): Machine
  open(nonce: string, segmentBytes?: number, pause?: () => Promise<void>): Promise<Process>
}

function machine(): Machine {
  const hands = { ms: 1_000_000 }
  return machineOn(new SimDisk(), hands, hostAt(hands, 1))
}

function machineOn(disk: SimDisk, hands: Hands, host: Host): Machine {
  return {
    disk,
    hands,
    survivor: (left = disk.crash('kill', seededChance(1))) => machineOn(left, hands, host),
    open: (nonce, segmentBytes = SEGMENT_BYTES, pause = async () => undefined) =>
      openProcess({ disk: disk.fork(), host, nonce, segmentBytes, pause }),
  }
}

function names(disk: SimDisk, folder: string, ending: string): string[] {
  return disk
    .list(`${BASE}/${folder}`)
    .filter((name) => name.endsWith(ending))
    .sort()
}

/** One step of a life that leaves something of everything: keys, receipts, history, dead letters. */
async function live(node: PlayedNode, hands: Hands, step: number): Promise<void> {
  const { store } = node
  const dice = seededChance(step)
  const draw = (sides: number): number => Math.floor(dice.next() * sides)
  const jobs = Array.from({ length: 4 }, (_, at) => variedJob(step * 4 + at, draw))
  await store.insert(jobs.map((job) => ({ jobs: [job] })))
  const { jobs: held } = await node.claim({ limit: 5, alone: true })
  const [first, ...rest] = held
  if (first !== undefined) {
    const throttles = [{ what: 'group', delay: step % 5 === 0 ? 150 : 0 }] as const
    const done = { name: `step ${step}`, value: json({ step }) }
    await store.note([{ ...first, progress: 0.5, log: [`step ${step}`], step: done, throttles }])
  }
  await node.settleAll(rest.map((job) => settlement(job, verdictOf(job.id, draw(6)))))
  if (first !== undefined && draw(3) > 0)
    await node.settle(first, { kind: 'complete', result: null })
  const ids = [jobs[draw(4)].id]
  if (draw(4) === 0) await store.control({ kind: 'delete', queue: QUEUE, which: { ids } }, null)
  if (draw(4) === 0)
    await store.control({ kind: 'cancel', queue: QUEUE, which: { ids }, reason: null }, null)
  if (draw(4) === 0) {
    const change = { payload: json({ updated: step }), priority: draw(5) }
    await store.control({ kind: 'update', queue: QUEUE, id: ids[0], change }, null)
  }
  if (draw(8) === 0) await store.override(QUEUE, { say: { attempts: 5 + draw(10) }, takeBack: [] })
  hands.ms += 100
  await node.beat()
  if (step % 7 === 0) await node.sweep()
  await quiet()
}

/** What it comes after may have ended, and then the job is refused, or it may have been refused. */
function recentOnes(number: number, draw: (sides: number) => number): JobRef[] {
  return [1, 2].map((back) => ({ queue: QUEUE, id: idOf(number - back * (1 + draw(6))) }))
}

function idOf(number: number): string {
  return number % 3 === 0 ? `job-${number}` : `01${String(number).padStart(24, '0')}`
}

function variedJob(number: number, draw: (sides: number) => number): NewJob {
  const odd = number % 3 === 0
  return newJob(idOf(number), {
    payload: json({ number, fill: 'x'.repeat(draw(200)) }),
    ownId: odd,
    priority: draw(5),
    group: `g${draw(4)}`,
    task: 'default',
    delay: draw(5) === 0 ? 500 : 0,
    at: null,
    unique:
      draw(3) === 0
        ? { key: `k${draw(10)}`, while: 'unfinished', for: draw(2) * 300, onConflict: 'replace' }
        : null,
    attempts: draw(4) === 0 ? 2 : null,
    after: draw(4) === 0 ? recentOnes(number, draw) : [],
    onParentFailed: (['wait', 'discard', 'run'] as const)[draw(3)],
  })
}

function verdictOf(id: string, choice: number): Verdict {
  switch (choice) {
    case 0:
      return { kind: 'complete', result: null }
    case 1:
      return completeWith({ done: id })
    case 2:
      return { kind: 'retry', delay: 50 }
    case 3:
      return { kind: 'snooze', delay: 200 }
    case 4:
      return { kind: 'discard', reason: 'given-up', message: 'no', deadId: `dead-${id}` }
    default:
      return { kind: 'release' }
  }
}

/** Saves every segment under a second name before it can be removed: the whole log, for a judge. */
class Archive {
  readonly disk: SimDisk
  constructor(disk: SimDisk) {
    this.disk = disk
    disk.makeFolder('/whole')
    disk.makeFolder('/whole/log')
  }

  save(): void {
    for (const name of names(this.disk, 'log', '.log')) {
      this.disk.link(`${BASE}/log/${name}`, `/whole/log/${name}`)
    }
  }

  /** A copy of the machine on which there never was a snapshot. */
  restored(): SimDisk {
    const copy = this.disk.crash('kill', seededChance(1))
    for (const name of copy.list(`${BASE}/snap`)) copy.remove(`${BASE}/snap/${name}`)
    for (const name of copy.list('/whole/log'))
      copy.link(`/whole/log/${name}`, `${BASE}/log/${name}`)
    return copy
  }
}

/** By seed: what closes while it lives. */
const GATES: readonly (readonly [number, SettingsLayer])[] = [
  [1, {}],
  [2, {}],
  [3, {}],
  [4, { order: 'blocking', attempts: 4 }],
  [
    5,
    {
      concurrency: 6,
      rate: { count: 12, per: 700, key: 'k' },
      groups: { concurrency: 3, rate: { count: 4, per: 400 }, weights: { g1: 2 } },
    },
  ],
]

/** Something is paused, and something goes on. */
async function pauseSome({ store }: PlayedNode, step: number): Promise<void> {
  for (const [at, kind] of (['pause', 'resume'] as const).entries()) {
    const group = [null, 'g1', 'g2'][(step + at) % 3]
    const queue = (step + at) % 7 === 0 ? null : QUEUE
    await store.control({ kind, queue, group: queue && group, by: `step ${step}` }, null)
  }
}

describe('the log, compacted', () => {
  it.each(GATES)(
    'says the same from a snapshot and the rest as from all of it (seed %i)',
    { timeout: 60_000 },
    async (seed, gates) => {
      const { disk, hands, open, survivor } = machine()
      const archive = new Archive(disk)
      const processes = [await open('a'), await open('b')]
      const nodes = await Promise.all(
        processes.map(({ store }, at) => PlayedNode.enlist(store, cardOf(`node-${at}`))),
      )
      await nodes[0].store.declare(QUEUE, {
        deadLetter: 'grave',
        keep: { completed: { count: 5, for: 5_000 } },
        ...gates,
      })
      const dice = seededChance(seed)
      for (let step = 0; step < 150; step++) {
        await live(nodes[Math.floor(dice.next() * 2)], hands, seed * 1_000 + step)
        if (seed > 3 && step % 4 === 0) await pauseSome(nodes[step % 2], step)
        archive.save()
        if (step % 10 !== 0) continue
        // Who lives through it, who begins from it, and who reads everything, agree.
        const begun = await survivor().open('begun')
        const whole = await survivor(archive.restored()).open('whole')
        for (const { store } of processes)
          await store.count({ queue: QUEUE, which: {}, cursor: null })
        const [living, other] = processes.map((process) => process.book())
        expect(begun.book()).toEqual(whole.book())
        expect(living).toEqual(whole.book())
        expect(other).toEqual(whole.book())
      }
      expect(names(disk, 'snap', '.index').length).toBeGreaterThan(1)
      expect(names(disk, 'log', '.log').length).toBeLessThan(archive.disk.list('/whole/log').length)
      expect(processes.flatMap(({ warnings }) => warnings)).toEqual([])
    },
  )

  it(
    'writes down the state at the seal, whatever changes meanwhile',
    { timeout: 60_000 },
    async () => {
      const { disk, hands, open, survivor } = machine()
      const living = await open('a', SEGMENT_BYTES, turn)
      const node = await PlayedNode.enlist(living.store, cardOf('node-a'))
      let made = 0
      for (let step = 0; step < 200; step++) {
        // `live` waits for some turns only: a snapshot takes more, and work goes on beneath it.
        await live(node, hands, step)
        const indexes = names(disk, 'snap', '.index').length
        if (step % 20 !== 0 || indexes === 0) continue
        made++
        const begun = await survivor().open('begun')
        expect(begun.book()).toEqual(living.book())
        expect(begun.warnings).toEqual([])
      }
      expect(made).toBeGreaterThan(5)
      expect(living.warnings).toEqual([])
    },
  )

  it('keeps what a node said of overdue attempts, so that all agree on how they end', async () => {
    const { disk, hands, open, survivor } = machine()
    const living = await open('a')
    const node = await PlayedNode.enlist(living.store, cardOf('node-a'))
    const other = await PlayedNode.enlist(living.store, cardOf('node-b'))
    await living.store.insert([{ jobs: [newJob('late')] }])
    const { jobs } = await node.claim({ limit: 1 })
    await node.beat({ overdue: jobs.map(({ token }) => token) })
    await fill(living, disk)
    const begun = await survivor().open('begun')
    expect(begun.book()).toEqual(living.book())

    const sleeper = await open('c')
    hands.ms += 10
    const { happened } = await other.sweep()
    expect(happened.map(({ kind }) => kind)).toEqual(['timeout'])
    await sleeper.store.get([])
    expect(sleeper.book()).toEqual(living.book())
  })

  it('answers a repeated verdict as the first time, also to who begins from a snapshot', async () => {
    const { disk, open, survivor } = machine()
    const living = await open('a')
    const node = await PlayedNode.enlist(living.store, cardOf('node-a'))
    await living.store.insert([{ jobs: ['done', 'again', 'given-up'].map((id) => newJob(id)) }])
    const { jobs } = await node.claim({ limit: 3 })
    const verdicts: Verdict[] = [
      { kind: 'complete', result: null },
      { kind: 'retry', delay: 60_000 },
      { kind: 'discard', reason: 'given-up', message: 'no', deadId: 'dead' },
    ]
    const told = jobs.map((job, at) => settlement(job, verdicts[at]))
    const first = await living.store.exchange({ node: 'node-a', settle: told, claim: [] })
    expect(first.settled.map(({ status }) => status)).toEqual(['done', 'done', 'done'])
    await fill(living, disk)
    const begun = await survivor().open('begun')
    expect(begun.book()).toEqual(living.book())
    expect(await begun.store.exchange({ node: 'node-a', settle: told, claim: [] })).toEqual(first)
    const other = told.map((one) => ({ ...one, verdict: { kind: 'release' as const } }))
    const { settled } = await begun.store.exchange({ node: 'node-a', settle: other, claim: [] })
    expect(settled.map(({ status }) => status)).toEqual(['lost', 'lost', 'lost'])
  })

  it('agrees on jobs that wait for the wall, whoever has looked at them when it is set', async () => {
    const { hands, open } = machine()
    const [worker, producer] = [await open('a'), await open('b')]
    const node = await PlayedNode.enlist(worker.store, cardOf('node'))
    const wall = hostAt(hands, 1).wall()
    await producer.store.insert([{ jobs: [newJob('due', { at: wall + 1_000 + hands.ms })] }])
    hands.ms *= 3
    await node.claim({ limit: 0 }) // it looks, and finds it due
    hands.jump = -3_600_000
    await producer.store.insert([{ jobs: [newJob('next')] }])
    await node.claim({ limit: 1 })
    await producer.store.get([])
    expect(producer.book()).toEqual(worker.book())
  })

  it('lets those who live through it read what was moved, and removes a file one snapshot later', async () => {
    const { disk, open } = machine()
    const [writer, reader] = [await open('a'), await open('b')]
    const kept = await putKept(writer)
    for (let made = 0; made < 4; made++) {
      const before = names(disk, 'snap', '.data')
      await fill(writer, disk)
      await expectKept(reader, kept)
      // The newest snapshot and the one before it, with what they moved.
      expect(names(disk, 'snap', '.index').length).toBeLessThanOrEqual(2)
      const after = names(disk, 'snap', '.data')
      expect(after.length).toBeLessThanOrEqual(2)
      if (made > 0) expect(after).toContain(before.at(-1))
    }
    expect(disk.facts(`${BASE}/log/00000001.log`)).toBe(null)
    await expectKept(await open('c'), kept)
  })

  it('loads anew for who slept through two snapshots', async () => {
    const { disk, open } = machine()
    const [writer, sleeper] = [await open('a'), await open('b')]
    const kept = await putKept(writer)
    for (let made = 0; made < 4; made++) await fill(writer, disk)
    await expect(sleeper.store.get([{ queue: 'kept', id: kept[0] }])).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
    })
    await quiet()
    await expectKept(sleeper, kept)
    expect(sleeper.book()).toEqual(writer.book())
    expect(await sleeper.store.insert([{ jobs: [newJob('after')] }])).toEqual([
      [{ status: 'inserted', id: 'after' }],
    ])
  })

  it.each([
    ['cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
    ['empty', () => Buffer.alloc(0)],
    ['changed in one bit', (bytes: Buffer) => flipped(bytes, Math.floor(bytes.length / 2))],
    ['of another kind', () => Buffer.from('hello\n')],
  ])('begins from the snapshot before when the newest is %s', async (_, damage) => {
    const { disk, open, survivor } = machine()
    const writer = await open('a')
    const kept = await putKept(writer)
    for (let made = 0; made < 3; made++) await fill(writer, disk)
    const after = survivor()
    const [newest] = names(after.disk, 'snap', '.index').reverse()
    replace(after.disk, `${BASE}/snap/${newest}`, damage)
    const begun = await after.open('b')
    await expectKept(begun, kept)
    await writer.store.get([])
    expect(begun.book()).toEqual(writer.book())
    expect(begun.warnings.join()).toMatch(/snapshot \d+ is passed over/)

    // Its successors are no trouble to it, nor it to them.
    for (let made = 0; made < 3; made++) await fill(begun, after.disk)
    await expectKept(await after.open('c'), kept)
  })

  it('gives up one job, and no other, for a damaged line of a data file', async () => {
    const { disk, open, survivor } = machine()
    const writer = await open('a')
    const kept = await putKept(writer)
    for (let made = 0; made < 2; made++) await fill(writer, disk)
    const after = survivor()
    const [data] = names(after.disk, 'snap', '.data').reverse()
    replace(after.disk, `${BASE}/snap/${data}`, (bytes) =>
      flipped(bytes, bytes.indexOf('kept-1') + 20),
    )
    const begun = await after.open('b')
    const page = { limit: 100, cursor: null }
    const { items } = await begun.store.list({ queue: 'kept', which: {}, page })
    expect(items.map(({ id }) => id)).toEqual([...kept].reverse())
    const node = await PlayedNode.enlist(begun.store, cardOf('node-b'))
    const { jobs } = await node.claim({ queue: 'kept' })
    const read = jobs.map(({ id, payload }) => [id, payload.text] as const)
    expect(read.filter(([id]) => id !== 'kept-1')).toEqual(
      kept.filter((id) => id !== 'kept-1').map((id) => [id, JSON.stringify({ keep: id })]),
    )
    const [[, text]] = read.filter(([id]) => id === 'kept-1')
    expect(() => JSON.parse(text) as unknown).toThrow()
  })

  it('gives up no more than what was in it for a data file that somebody removed', async () => {
    const { disk, open, survivor } = machine()
    const writer = await open('a')
    const kept = await putKept(writer)
    for (let made = 0; made < 4; made++) await fill(writer, disk)
    const after = survivor()
    for (const name of names(after.disk, 'snap', '.data')) after.disk.remove(`${BASE}/snap/${name}`)
    const begun = await after.open('b')
    const node = await PlayedNode.enlist(begun.store, cardOf('node-b'))
    expect((await node.claim({ queue: 'kept' })).jobs.length).toBe(kept.length)
    await node.drain()
    expect(begun.warnings.join()).toMatch(/data/)
  })

  it('opens also when what it found is compacted away before it is read', async () => {
    const { disk, hands, open, survivor } = machine()
    const writer = await open('a')
    const kept = await putKept(writer)
    for (let made = 0; made < 2; made++) await fill(writer, disk)
    const stale = new Map(['log', 'snap'].map((folder) => [folder, disk.list(`${BASE}/${folder}`)]))
    for (let made = 0; made < 3; made++) await fill(writer, disk)
    const after = survivor()
    const fork = after.disk.fork()
    const late = await openProcess({
      disk: {
        ...watchedDisk(fork, () => undefined),
        list: (path) => {
          const folder = path.slice(path.lastIndexOf('/') + 1)
          const seen = stale.get(folder) ?? fork.list(path)
          stale.delete(folder)
          return seen
        },
      },
      host: hostAt(hands, 2),
      nonce: 'b',
    })
    await expectKept(late, kept)
    expect(late.warnings).toEqual([])
  })
})

/** Jobs that stay for ever, among others that go: what a snapshot moves. */
async function putKept(process: Process): Promise<string[]> {
  const ids: string[] = []
  const node = await PlayedNode.enlist(process.store, cardOf('node-kept'))
  for (let at = 0; at < 4; at++) {
    const id = `kept-${at}`
    const jobs = [newJob(id, { queue: 'kept', payload: json({ keep: id }) })]
    await process.store.insert([
      { jobs },
      { jobs: [newJob(`gone-${at}`, { payload: json('y'.repeat(500)) })] },
    ])
    ids.push(id)
  }
  await node.drain()
  await quiet()
  return ids
}

async function expectKept(process: Process, ids: readonly string[]): Promise<void> {
  const found = await process.store.get(ids.map((id) => ({ queue: 'kept', id })))
  expect(found.map((one) => one?.kind === 'job' && one.job.payload.text)).toEqual(
    ids.map((keep) => JSON.stringify({ keep })),
  )
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] ^= 4
  return copy
}

/** Another file of that name, as an editor or a failing disk would leave it. */
function replace(disk: SimDisk, path: string, change: (bytes: Buffer) => Buffer): void {
  const before = disk.read(path)
  const bytes = Buffer.alloc(before.size())
  before.readAt(0, bytes)
  disk.remove(path)
  disk.create(path).write(change(bytes))
}

/** Appends, and finishes what it appended, until a snapshot was made. */
async function fill(process: Process, disk: SimDisk): Promise<void> {
  const before = names(disk, 'snap', '.index').at(-1)
  const node = await PlayedNode.enlist(process.store, cardOf('node-fill'))
  for (let lot = 0; names(disk, 'snap', '.index').at(-1) === before; lot++) {
    const payload = json('x'.repeat(1_000))
    await process.store.insert([{ jobs: [newJob(`fill-${before}-${lot}`, { payload })] }])
    await node.drain()
    await quiet()
  }
  await node.leave()
}
