// The porter's thread, which exists only compiled: what `npm run build` put into dist. On a real disk.
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type * as DiskModule from '../../src/disk/real-disk.js'
import { layoutOf, TRAYS } from '../../src/stores/maildir/layout.js'
import type { Layout } from '../../src/stores/maildir/layout.js'
import type { Errand } from '../../src/stores/maildir/moves.js'
import { HERE, THERE, WRITTEN } from '../../src/stores/maildir/porter.js'
import type { Porter } from '../../src/stores/maildir/porter.js'
import type * as PortModule from '../../src/stores/maildir/porter-port.js'
import { VirtualClock } from '../../src/time/virtual.js'

const dist = (path: string) => new URL(`../../dist/${path}`, import.meta.url)
const isBuilt = existsSync(dist('stores/maildir/porter-thread.js'))
const load = async <T>(path: string) => (await import(dist(path).href)) as T // as: what was compiled

const MANY = 100

let root: string
let layout: Layout
let porter: Porter
let clock: VirtualClock

beforeEach(async () => {
  if (!isBuilt) return
  const { porterOf } = await load<typeof PortModule>('stores/maildir/porter-port.js')
  const { realDisk } = await load<typeof DiskModule>('disk/real-disk.js')
  root = await mkdtemp(join(tmpdir(), 'millrace-porter-'))
  layout = layoutOf(root, 'default')
  for (const tray of TRAYS) await mkdir(`${layout.scope}/q/${tray}`, { recursive: true })
  await mkdir(layout.tmp, { recursive: true })
  clock = new VirtualClock()
  porter = porterOf({ disk: realDisk(), layout, nonce: 'x' }, clock)
})

afterEach(async () => {
  if (!isBuilt) return
  await porter.close()
  await rm(root, { recursive: true })
})

const numbers = Array.from({ length: MANY }, (_, n) => n)
const born = (n: number): Errand => ({
  ...{ kind: 'put', path: `q/new/${n}`, lies: null, text: `text ${n}`, spare: null, since: 1 },
})
const gone = (n: number): Errand => ({ kind: 'remove', path: `q/new/${n}`, since: 2 })
const moved = (n: number): Errand => ({
  ...{ kind: 'put', path: `q/cur/${n}`, lies: `q/new/${n}`, text: null, spare: null, since: 2 },
})

/** So many slices of removals one after another that several threads have begun to share them. */
async function removeUntilShared(): Promise<void> {
  for (let slice = 0; slice < 10; slice++) {
    await porter.carry(numbers.map((n) => gone(MANY + n)))
  }
}

describe.skipIf(!isBuilt)('the thread of the porter', () => {
  // Skipped where nothing was built: a run from the sources has no thread.
  it('does what it is handed, in its order, and says what it did', async () => {
    const carrying = porter.carry(numbers.map(born))
    expect(carrying).toBeInstanceOf(Promise)
    expect(await carrying).toEqual({ done: numbers.map(() => HERE | WRITTEN), error: null })
    await porter.sync(numbers.map((n) => `q/new/${n}`))
    expect(await porter.carry(numbers.map(moved))).toEqual({
      ...{ done: numbers.map(() => HERE | THERE), error: null },
    })
    expect(await readdir(`${layout.scope}/q/new`)).toEqual([])
    expect(await readFile(`${layout.scope}/q/cur/7`, 'utf8')).toBe('text 7')
    expect(await readdir(layout.tmp)).toEqual([])
  })

  it('stops at the first that fails, and says why with its code', async () => {
    await rm(`${layout.scope}/q/new`, { recursive: true })
    await mkdir(`${layout.scope}/q/new/50`, { recursive: true }) // no file can take the place of a folder
    const { done, error } = await porter.carry(numbers.map(born))
    expect(done).toHaveLength(50)
    expect(error).toMatchObject({ code: 'EISDIR' })
  })

  it('passes over files that are gone when it syncs', async () => {
    await porter.carry(numbers.map(born))
    await rm(`${layout.scope}/q/new/3`)
    await porter.sync(numbers.map((n) => `q/new/${n}`))
    await porter.carry(numbers.map(moved))
    expect(await readdir(`${layout.scope}/q/cur`)).toHaveLength(MANY - 1)
  })

  it('does a few errands on the spot', () => {
    expect(porter.carry([born(1), moved(1)])).toEqual({
      ...{ done: [HERE | WRITTEN, HERE | THERE], error: null },
    })
  })

  it('is waited for by who closes, and by who asks for its rest', async () => {
    const carrying = porter.carry(numbers.map(born))
    await porter.rest()
    expect(await readdir(`${layout.scope}/q/new`)).toHaveLength(MANY)
    const again = porter.carry(numbers.map(moved))
    await porter.close()
    expect(await readdir(`${layout.scope}/q/cur`)).toHaveLength(MANY)
    await Promise.all([carrying, again])
  })

  it('ends when there was nothing for it, and another is begun when there is', async () => {
    await porter.carry(numbers.map(born))
    await clock.advance(60_000)
    expect(await porter.carry(numbers.map(moved))).toMatchObject({ error: null })
  })

  it('shares removals among threads where they go on and on, and says what was there', async () => {
    await porter.carry(numbers.map(born))
    await rm(`${layout.scope}/q/new/70`)
    await removeUntilShared()
    const { done, error } = await porter.carry(numbers.map(gone))
    expect([done, error]).toEqual([numbers.map((n) => (n === 70 ? 0 : HERE)), null])
    expect(await readdir(`${layout.scope}/q/new`)).toEqual([])
  })

  it('says of shared removals what was done up to the first that failed, and does the rest again', async () => {
    await removeUntilShared()
    await mkdir(`${layout.scope}/q/new/50`) // a folder is no letter
    const { done, error } = await porter.carry(numbers.map(gone))
    expect(done).toEqual(Array.from({ length: 50 }, () => 0))
    expect(error).toMatchObject({ code: expect.stringMatching(/EISDIR|EPERM/) })
    await rm(`${layout.scope}/q/new/50`, { recursive: true })
    expect(await porter.carry(numbers.map(gone))).toMatchObject({ error: null })
  })
})
