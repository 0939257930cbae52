// How far letters may be behind what is decided: a moment where little is going on, a second while
// calls go on, and never more of them than the desk has room for. Nobody waits for a porter who is
// late but whoever brings more than that; what he has done is marked, though more is to come.
import { beforeEach, expect, it } from 'vitest'
import { newJob, QUEUE } from '../../src/testing/conformance/build.js'
import { SimDisk } from '../../src/testing/sim-disk.js'
import { readSegment, segmentsOf } from '../../src/stores/maildir/commit-log.js'
import { layoutOf } from '../../src/stores/maildir/layout.js'
import { openableMaildirStore } from '../../src/stores/maildir/maildir-store.js'
import type { Store } from '../../src/store.js'
import { turn } from '../../src/time/system.js'
import { seededChance, VirtualClock } from '../../src/time/virtual.js'
import { virtualHost } from '../conformance/virtual-host.js'
import { LatePorter } from './late-porter.js'

const LAYOUT = layoutOf('/mail', 'default')
const NEW = `${LAYOUT.scope}/${QUEUE}/new`

let clock: VirtualClock
let disk: SimDisk
let store: Store
let porter: LatePorter
let jobs: number

async function open(seed: number, segmentBytes = 64 * 1024 * 1024): Promise<void> {
  store = openableMaildirStore(
    { path: '/mail' },
    {
      ...{ disk, host: virtualHost(clock), chance: seededChance(seed), clock, segmentBytes },
      ...{ rooms: new Map(), pause: async () => undefined },
      porter: (parts) => (porter = new LatePorter(parts)),
    },
  )
  await store.open({ scope: 'default' })
}

beforeEach(async () => {
  clock = new VirtualClock()
  disk = new SimDisk({ now: () => clock.wall() })
  jobs = 0
  await open(1)
})

async function insert(count: number, payload?: string): Promise<void> {
  const lot = Array.from({ length: count }, () => newJob(`${jobs++}`))
  const text = payload === undefined ? undefined : JSON.stringify(payload)
  await store.insert([
    {
      jobs: lot.map((job) =>
        text === undefined ? job : { ...job, payload: { ...job.payload, text } },
      ),
    },
  ])
}

const letters = (): number => (disk.facts(NEW) === null ? 0 : disk.list(NEW).length)

/** So many at every 10 ms. */
async function keepInserting(ms: number, count: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10) {
    await insert(count)
    await clock.advance(10)
  }
}

it('has a letter in its folder within 50 ms when it is alone', async () => {
  await insert(1)
  expect(letters()).toBe(0)
  await clock.advance(50)
  expect(letters()).toBe(1)
})

it('has it there as soon while a few come one after another', async () => {
  await keepInserting(500, 1)
  expect(letters()).toBeGreaterThan(40)
})

it('keeps them for a second while many come, and then begins to write them', async () => {
  await keepInserting(900, 20)
  expect(letters()).toBe(0)
  await keepInserting(200, 20)
  expect(letters()).toBeGreaterThan(1_900)
  await clock.advance(50)
  expect(letters()).toBe(jobs)
})

it('answers though no letter can be written, until the desk has no room', async () => {
  porter.hold()
  await insert(9_000)
  await clock.advance(2_000)
  await insert(9_000)
  let isAnswered = false
  const waiting = insert(3_000).then(() => (isAnswered = true))
  for (let turns = 0; turns < 50; turns++) await turn()
  expect(isAnswered).toBe(false)
  porter.letGo()
  await waiting
  expect(letters()).toBeGreaterThan(0)
})

it('counts what letters say, not only how many they are', { timeout: 120_000 }, async () => {
  porter.hold()
  const long = 'x'.repeat(512 * 1024)
  for (let n = 0; n < 63; n++) await insert(1, long)
  let isAnswered = false
  const waiting = insert(1, long).then(() => (isAnswered = true))
  for (let turns = 0; turns < 50; turns++) await turn()
  expect(isAnswered).toBe(false)
  porter.letGo()
  await waiting
  expect(letters()).toBeGreaterThan(0)
})

it('has no log grow beyond four segments while nothing can be put where it belongs', async () => {
  await store.close()
  await open(2, 100_000)
  porter.hold()
  let answered = 0
  const all = Array.from({ length: 40 }, async () => {
    for (let n = 0; n < 10; n++) {
      await insert(10)
      answered += 10
    }
  })
  for (let turns = 0; turns < 500; turns++) await turn()
  const log = segmentsOf(disk, LAYOUT).reduce(
    (sum, { name }) => sum + (disk.facts(`${LAYOUT.commit}/${name}`)?.size ?? 0),
    0,
  )
  expect(answered).toBeLessThan(4_000)
  // What all of them had under way when it was too long may stand behind it.
  expect(log).toBeLessThan(4 * 100_000 + 40 * 10 * 1_000)
  porter.letGo()
  await Promise.all(all)
  await store.close()
  expect(letters()).toBe(4_000)
})

it('says in the log how far its moves are done, though others are waiting', async () => {
  await insert(1)
  await clock.advance(50)
  porter.hold()
  await insert(300)
  await clock.advance(50)
  const [first] = segmentsOf(disk, LAYOUT)
  const before = readSegment(disk, `${LAYOUT.commit}/${first.name}`)
  await insert(300)
  porter.letGo()
  for (let turns = 0; turns < 20; turns++) await turn()
  const after = readSegment(disk, `${LAYOUT.commit}/${first.name}`)
  expect(letters()).toBe(301)
  // All but the last record, which is not done.
  for (const { records, done } of [before, after]) {
    expect(records.filter(({ at }) => at >= done)).toHaveLength(1)
  }
  await store.close()
})
