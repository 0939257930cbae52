// A database that is removed, moved or replaced while it is open: nobody is answered what nobody will
// ever find.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { beater } from '../../src/stores/sqlite/sqlite-beat.js'
import { sqliteStore } from '../../src/stores/sqlite/sqlite-store.js'
import { newJob, QUEUE, unique } from '../../src/testing/conformance/build.js'
import { betterHandle } from './better-handle.js'

let folder: string
let place: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-removed-'))
  place = join(folder, 'place')
  path = join(place, 'jobs.db')
  mkdirSync(place)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function opened() {
  const store = sqliteStore({ path })
  await store.open({ scope: 'default' })
  return store
}

async function replace(): Promise<void> {
  rmSync(place, { recursive: true })
  mkdirSync(place)
  const other = await opened()
  await other.insert([{ jobs: [newJob('of another')] }])
  await other.close()
}

it.each([
  ['removed', async () => rmSync(place, { recursive: true })],
  ['moved', async () => renameSync(place, `${place}-2`)],
  ['replaced', replace],
])('a file that was %s answers STORE_WIPED', async (_, happens) => {
  const store = await opened()
  await store.insert([{ jobs: [newJob('first')] }])
  await happens()
  const plain = store.insert([{ jobs: [newJob('second')] }])
  await expect(plain).rejects.toMatchObject({ code: 'STORE_WIPED', subject: path })
  const other = store.insert([{ jobs: [newJob('third', { unique: unique('k') })] }])
  await expect(other).rejects.toMatchObject({ code: 'STORE_WIPED' })
  // From now on nothing is given to run either, whose end could not be kept.
  const claim = { queue: QUEUE, worker: 'w', claim: 1, tasks: null, limit: 1, alone: true }
  const taking = store.exchange({ node: 'n', settle: [], claim: [claim] })
  await expect(taking).rejects.toMatchObject({ code: 'STORE_WIPED' })
  await store.close()
})

it('a log that was removed answers STORE_WIPED, and what was answered before is there', async () => {
  const store = await opened()
  await store.insert([{ jobs: [newJob('first')] }])
  rmSync(`${path}-wal`)
  const second = store.insert([{ jobs: [newJob('second')] }])
  await expect(second).rejects.toMatchObject({ code: 'STORE_WIPED', subject: `${path}-wal` })
  const third = store.insert([{ jobs: [newJob('third', { unique: unique('k') })] }])
  await expect(third).rejects.toMatchObject({ code: 'STORE_WIPED' })
  await store.close()
  const later = await opened()
  const [first] = await later.get([{ queue: QUEUE, id: 'first' }])
  expect(first).not.toBeNull()
  await later.close()
})

it('what took its place is left as it is, by those who had the old one open', async () => {
  const store = await opened()
  await store.insert([{ jobs: [newJob('first')] }])
  await replace()
  const there = await opened()
  await there.insert([{ jobs: [newJob('not in the database yet')] }])
  await store.close()
  const ids = ['first', 'of another', 'not in the database yet']
  const later = await opened()
  const found = await later.get(ids.map((id) => ({ queue: QUEUE, id })))
  expect(found.map((job) => job !== null)).toEqual([false, true, true])
  await there.close()
  await later.close()
})

it('nor does the thread that beats for them touch it, however late it opens it', async () => {
  const store = await opened()
  await store.insert([{ jobs: [newJob('first')] }])
  const { dev, ino } = statSync(path)
  const data = { path, prefix: 'millrace_', scope: 'default', file: `${dev}:${ino}` }
  const section = { enter: vi.fn(), leave: vi.fn() }
  const { beat, close } = beater(data, 1_000, section)
  const said = { node: 'n', upTo: 0, open: [], overdue: [] }
  await beat(said)
  await close()
  expect(section.enter).toHaveBeenCalled() // around each call of the driver
  expect(section.leave).toHaveBeenCalledTimes(section.enter.mock.calls.length)
  const other = join(folder, 'other.db')
  copyFileSync(path, other)
  renameSync(other, path)
  const before = readFileSync(path)
  const late = beater(data, 1_000, section)
  await expect(late.beat(said)).rejects.toMatchObject({ code: 'STORE_WIPED' })
  await late.close()
  expect(readFileSync(path).equals(before)).toBe(true)
  await store.close()
})

it('a handle of the user’s is looked after, too', async () => {
  const database = betterHandle(path)
  database.exec('PRAGMA journal_mode = WAL')
  const store = sqliteStore({ database })
  await store.open({ scope: 'default' })
  rmSync(place, { recursive: true })
  const inserted = store.insert([{ jobs: [newJob('first')] }])
  await expect(inserted).rejects.toMatchObject({ code: 'STORE_WIPED' })
  await store.close()
  database.close()
})
