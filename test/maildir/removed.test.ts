// A folder that is removed, moved or replaced while it is open: whoever has it open is told so, nobody
// is answered what nobody will find, and only who opens it anew makes it anew.
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { realDisk } from '../../src/disk/real-disk.js'
import { openableMaildirStore } from '../../src/stores/maildir/maildir-store.js'
import type { Rooms } from '../../src/stores/maildir/maildir-store.js'
import type { Store } from '../../src/store.js'
import { newJob, QUEUE } from '../../src/testing/conformance/build.js'
import { hostAt } from './machine.js'

let home: string
let root: string
let open: Store[]
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'millrace-maildir-removed-'))
  root = join(home, 'mail')
  open = []
})
afterEach(async () => {
  await Promise.allSettled(open.map((store) => store.close()))
  rmSync(home, { recursive: true, force: true })
})

type Options = Omit<Parameters<typeof openableMaildirStore>[0], 'path'>

/** A handle of a process of its own, of which nobody can tell that it is dead. */
async function opened(pid: number, options: Options = {}, rooms: Rooms = new Map()) {
  const host = { ...hostAt({ ms: 1_000_000 }, 1, pid), liveness: () => 'alive' as const }
  const parts = { disk: realDisk(), host, rooms, warn: () => undefined }
  const store = openableMaildirStore({ ...options, path: root }, parts)
  open.push(store)
  await store.open({ scope: 'default' })
  return store
}

function put(store: Store, id: string, more: Parameters<typeof newJob>[1] = {}) {
  return store.insert([{ jobs: [newJob(id, more)] }])
}

async function ids(store: Store): Promise<string[]> {
  const page = { limit: 10, cursor: null }
  const { items } = await store.list({ queue: QUEUE, which: {}, page })
  return items.map(({ id }) => id).sort()
}

async function replace(): Promise<void> {
  rmSync(root, { recursive: true })
  const other = await opened(9)
  await put(other, 'of another')
  await other.close()
}

const commit = (): string => join(root, 'default', '.keeper', 'commit')
const WAYS: [string, () => void | Promise<void>][] = [
  ['removed', () => rmSync(root, { recursive: true })],
  ['moved away', () => renameSync(root, `${root}-2`)],
  ['replaced', replace],
  ['emptied of its keeper', () => rmSync(join(root, 'default', '.keeper'), { recursive: true })],
  ['emptied of its scope', () => rmSync(join(root, 'default'), { recursive: true })],
]

describe('a keeper whose folder is taken away', () => {
  describe.each(WAYS)('when it is %s', (_, take) => {
    it.each([{}, { durability: 'process' } as const])(
      'answers STORE_WIPED with %o',
      async (how) => {
        const store = await opened(1, how)
        await put(store, 'first')
        await take()
        const before = existsSync(root) ? readdirSync(root, { recursive: true }).sort() : null
        for (const call of [
          () => put(store, 'second'),
          () => store.control({ kind: 'pause', queue: QUEUE, group: null, by: 'me' }, null),
          () => ids(store),
          () => put(store, 'third'),
          () => store.close(),
        ]) {
          await expect(call()).rejects.toMatchObject({ code: 'STORE_WIPED', subject: root })
        }
        expect(existsSync(root) ? readdirSync(root, { recursive: true }).sort() : null).toEqual(
          before,
        )
      },
    )
  })

  it('answers so, too, when its log alone is removed', async () => {
    const store = await opened(1)
    await put(store, 'first')
    for (const name of readdirSync(commit())) rmSync(join(commit(), name))
    await expect(put(store, 'second')).rejects.toMatchObject({ code: 'STORE_WIPED' })
    await expect(ids(store)).rejects.toMatchObject({ code: 'STORE_WIPED' })
  })

  it('answers so also where nothing new is asked for, and when it is closed', async () => {
    const store = await opened(1)
    await put(store, 'first')
    rmSync(root, { recursive: true })
    const paused = store.control({ kind: 'pause', queue: QUEUE, group: null, by: 'me' }, null)
    await expect(paused).rejects.toMatchObject({ code: 'STORE_WIPED' })
    const other = await opened(2)
    await put(other, 'second')
    rmSync(root, { recursive: true })
    await expect(other.close()).rejects.toMatchObject({ code: 'STORE_WIPED' })
    expect(existsSync(root)).toBe(false)
  })

  it('leaves its place to who opens it anew, in the same process, too', async () => {
    const rooms: Rooms = new Map()
    const store = await opened(1, {}, rooms)
    await put(store, 'first')
    rmSync(root, { recursive: true })
    await expect(put(store, 'second')).rejects.toMatchObject({ code: 'STORE_WIPED' })
    const another = await opened(1, {}, rooms)
    await put(another, 'new')
    await expect(put(store, 'third')).rejects.toMatchObject({ code: 'STORE_WIPED' })
    await expect(store.close()).rejects.toMatchObject({ code: 'STORE_WIPED' })
    expect(await ids(await opened(1, {}, rooms))).toEqual(['new'])
  })

  it('makes a folder of a queue anew, which is all that people may remove', async () => {
    const store = await opened(1)
    await put(store, 'first')
    rmSync(join(root, 'default', QUEUE), { recursive: true })
    await put(store, 'second')
    expect(await ids(store)).toContain('second')
  })
})

describe('who asks a keeper whose folder is taken away', () => {
  it.each(WAYS)('is told STORE_WIPED when it is %s', async (_, take) => {
    const keeper = await opened(1)
    await put(keeper, 'first')
    const visitor = await opened(2)
    expect(await ids(visitor)).toEqual(['first'])
    await put(visitor, 'delivered')
    await take()
    const before = existsSync(root) ? readdirSync(root, { recursive: true }).sort() : null
    await expect(put(visitor, 'second', { ownId: true })).rejects.toMatchObject({
      code: 'STORE_WIPED',
    })
    await expect(ids(visitor)).rejects.toMatchObject({ code: 'STORE_WIPED' })
    expect(existsSync(root) ? readdirSync(root, { recursive: true }).sort() : null).toEqual(before)
    await visitor.close()
  })

  it.each(WAYS.slice(0, 3))('and so is who only looks when it is %s', async (_, take) => {
    await put(await opened(1), 'first')
    const looker = await opened(2, { access: 'look' })
    expect(await ids(looker)).toEqual(['first'])
    await take()
    await expect(ids(looker)).rejects.toMatchObject({ code: 'STORE_WIPED' })
  })
})
