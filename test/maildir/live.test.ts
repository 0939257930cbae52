// A folder that a keeper has open, in a real folder with the system's own news: others deliver into it
// without asking, and people remove, move and edit letters. Each test waits for a hint of the keeper.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { realHost } from '../../src/disk/host.js'
import type { JobRecord } from '../../src/job/job.js'
import { discardAs, newJob, QUEUE } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { openableMaildirStore } from '../../src/stores/maildir/maildir-store.js'
import type { Store } from '../../src/store.js'
import { systemClock } from '../../src/time/system.js'

let path: string
let warnings: string[]
let heard: (() => void) | null
let stores: Store[]

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'millrace-letters-'))
  warnings = []
  heard = null
  stores = []
})
afterEach(async () => {
  for (const store of stores.reverse()) await store.close()
  rmSync(path, { recursive: true, force: true })
})

const tell = (): void => {
  const told = heard
  heard = null
  told?.()
}

/** As another process of this host, whom the keeper cannot tell alive from dead. */
async function open(proof: string): Promise<Store> {
  const warn = (message: string): void => {
    warnings.push(message)
    tell()
  }
  const host = { ...realHost(), proof }
  const liveness = (): 'alive' => 'alive'
  const store = openableMaildirStore(
    { path },
    { warn, host: { ...host, liveness }, clock: systemClock, rooms: new Map() },
  )
  await store.open({ scope: 'default' })
  stores.push(store)
  return store
}

async function keeper(): Promise<Store> {
  const store = await open('keeper')
  store.watch(tell)
  return store
}

/** Until it is so: looked at after every hint and warning. */
async function until<T>(look: () => Promise<T>, isSo: (seen: T) => boolean): Promise<T> {
  for (;;) {
    const next = new Promise<void>((resolve) => (heard = resolve))
    const seen = await look()
    if (isSo(seen)) return seen
    await next
  }
}

function tray(name: string): string {
  return join(path, 'default', QUEUE, name)
}

/** Letters follow answers within moments: the log says when they were done. */
async function lettersIn(name: string, count: number): Promise<string[]> {
  for (;;) {
    const names = existsSync(tray(name)) ? readdirSync(tray(name)).sort() : []
    if (names.length === count) return names.map((one) => join(tray(name), one))
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function jobs(store: Store): Promise<readonly JobRecord[]> {
  const { items } = await store.list({ queue: QUEUE, which: {}, page: { limit: 10, cursor: null } })
  return items
}

function quarantined(): string[] {
  const folder = join(path, 'default', '.keeper', 'quarantine')
  const reasons = readdirSync(folder).filter((name) => name.endsWith('.why'))
  return reasons.map((name) => readFileSync(join(folder, name), 'utf8')).sort()
}

describe('a maildir that a keeper has open', () => {
  it('takes in what another process delivers, which the keeper need not answer', async () => {
    const store = await keeper()
    await store.insert([{ jobs: [newJob('first')] }])
    await lettersIn('new', 1)
    const other = await open('other')
    const answer = await other.insert([{ jobs: [newJob('mail', { priority: 3 })] }])
    expect(answer).toEqual([[{ status: 'inserted', id: 'mail' }]])
    const all = await until(
      () => jobs(store),
      (seen) => seen.length === 2,
    )
    expect(all.map(({ id, priority }) => [id, priority]).sort()).toEqual([
      ['first', 0],
      ['mail', 3],
    ])
    expect(readdirSync(join(path, 'default', '.keeper', 'post'))).toEqual(['drafts'])
  })

  it('knows what was delivered before, when the same process asks for it', async () => {
    const store = await keeper()
    await store.insert([{ jobs: [newJob('first')] }])
    await lettersIn('new', 1)
    const other = await open('other')
    await other.insert([{ jobs: [newJob('mail')] }])
    const [found] = await other.get([{ queue: QUEUE, id: 'mail' }])
    expect(found).toMatchObject({ kind: 'job' })
  })

  it('makes a job of a JSON file that is moved in, and waits for one that is still being written', async () => {
    const store = await keeper()
    await store.insert([{ jobs: [newJob('first')] }])
    await lettersIn('new', 1)
    writeFileSync(join(tray('tmp'), 'x.json'), '{ "to": "ada" }')
    renameSync(join(tray('tmp'), 'x.json'), join(tray('new'), 'x.json'))
    const all = await until(
      () => jobs(store),
      (seen) => seen.length === 2,
    )
    expect(all.map(({ payload }) => payload.text)).toContain('{"to":"ada"}')
    expect(warnings).toEqual([])
  })

  it('puts away what cannot be read, and takes in what comes beside it', async () => {
    const store = await keeper()
    await store.insert([{ jobs: [newJob('a')] }])
    await lettersIn('new', 1)
    const old = new Date(Date.now() - 60_000)
    mkdirSync(join(path, 'a-folder.json'))
    utimesSync(join(path, 'a-folder.json'), old, old)
    renameSync(join(path, 'a-folder.json'), join(tray('new'), 'a-folder.json'))
    writeFileSync(join(path, 'b.json'), '"behind it"')
    renameSync(join(path, 'b.json'), join(tray('new'), 'b.json'))
    const count = () => store.count({ queue: QUEUE, which: {}, cursor: null })
    await until(count, ({ counts }) => counts.available === 2)
    await until(
      async () => warnings,
      (told) => told.some((one) => one.includes('a-folder.json')),
    )
    expect(existsSync(join(tray('new'), 'a-folder.json'))).toBe(false)
  })

  it('deletes a job whose letter is removed', async () => {
    const store = await keeper()
    await store.insert([{ jobs: [newJob('a')] }, { jobs: [newJob('b')] }])
    const [a] = await lettersIn('new', 2)
    rmSync(a)
    const left = await until(
      () => jobs(store),
      (seen) => seen.length === 1,
    )
    expect(left.map(({ id }) => id)).toEqual(['b'])
  })

  it('retries what is moved out of dead into new', async () => {
    const store = await keeper()
    await store.insert([{ jobs: [newJob('a')] }])
    const node = await PlayedNode.enlist(store, cardOf('node'))
    await node.settle(await node.take(), discardAs('unused'))
    const [dead] = await lettersIn('dead', 1)
    renameSync(dead, dead.replace('/dead/', '/new/'))
    const [job] = await until(
      () => jobs(store),
      ([seen]) => seen.state === 'available',
    )
    expect([job.attempt, job.history.length]).toEqual([0, 1])
    expect(readdirSync(tray('dead'))).toEqual([])
  })

  it('takes an edited payload and priority, and puts a bad edit away without losing the job', async () => {
    const store = await keeper()
    await store.insert([{ jobs: [newJob('a')] }, { jobs: [newJob('b')] }])
    const [a, b] = await lettersIn('new', 2)
    const later = Date.now() / 1000 + 60
    const edit = (file: string, change: (text: string) => string): void => {
      writeFileSync(`${file}~`, change(readFileSync(file, 'utf8')))
      utimesSync(`${file}~`, later, later)
      renameSync(`${file}~`, file) // as most editors do
    }
    edit(a, (text) => text.replace(/"payload": .*/, '"payload": {"edited": true},'))
    edit(b, (text) => `${text}rot`)
    const all = await until(
      () => jobs(store),
      (seen) =>
        seen.some(({ payload }) => payload.text === '{"edited":true}') && warnings.length > 0,
    )
    expect(all.map(({ id, state }) => [id, state]).sort()).toEqual([
      ['a', 'available'],
      ['b', 'available'],
    ])
    expect(quarantined()).toEqual(['it is neither whole nor JSON\n'])
    const letters = await lettersIn('new', 2)
    for (const letter of letters) JSON.parse(readFileSync(letter, 'utf8'))
  })

  it('puts back what is moved where that means nothing', async () => {
    const store = await keeper()
    await store.insert([{ jobs: [newJob('a')] }])
    const [a] = await lettersIn('new', 1)
    renameSync(a, a.replace('/new/', '/done/'))
    await until(
      () => Promise.resolve(warnings),
      (seen) => seen.length > 0,
    )
    expect((await jobs(store)).map(({ state }) => state)).toEqual(['available'])
    await lettersIn('new', 1)
    expect(readdirSync(tray('done'))).toEqual([])
  })
})
