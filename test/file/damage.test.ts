import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newJob } from '../../src/testing/conformance/build.js'
import { openableFileStore } from '../../src/stores/file/file-store.js'
import type { Disk } from '../../src/disk/disk.js'
import { realDisk } from '../../src/disk/real-disk.js'
import type { Store } from '../../src/store.js'
import { withFiles } from './with-files.js'

let root: string
let warnings: string[]

async function open(): Promise<Store> {
  const store = openableFileStore({ path: root }, { warn: (message) => warnings.push(message) })
  await store.open({ scope: 'default' })
  return store
}

async function ids(store: Store): Promise<string[]> {
  const page = await store.list({ queue: 'q', which: {}, page: { limit: 100, cursor: null } })
  return page.items.map(({ id }) => id).sort()
}

/** Turns the first such text in the log into another of the same length. */
function spoil(text: string): void {
  const path = join(root, 'default', 'log', '00000001.log')
  const bytes = readFileSync(path)
  const at = bytes.indexOf(text)
  expect(at).toBeGreaterThan(0)
  bytes.fill('#', at, at + text.length)
  writeFileSync(path, bytes)
}

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'millrace-damage-'))
  warnings = []
  const store = await open()
  await store.insert([{ jobs: [newJob('a')] }])
  await store.insert([{ jobs: [newJob('b1'), newJob('b2'), newJob('b3')] }])
  await store.insert([{ jobs: [newJob('c')] }])
  await store.close()
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

describe('what was durable and has changed', () => {
  it('is told, and takes no neighbour along: not of its frame, not of others', async () => {
    spoil('"b2"')
    const store = await open()
    expect(await ids(store)).toEqual(['a', 'b1', 'b3', 'c'])
    expect(warnings).toEqual([expect.stringMatching(/00000001\.log is damaged/)])
    await store.close()
  })

  it('is put into quarantine, once, with the reason beside it', async () => {
    spoil('"b2"')
    const log = readFileSync(join(root, 'default', 'log', '00000001.log'))
    const stores = [await open(), await open()]
    for (const store of stores) await store.close()
    const folder = join(root, 'default', 'quarantine')
    const [name, why, ...others] = readdirSync(folder).sort()
    expect(others).toEqual([])
    const at = Number(/^00000001\.log\.(\d+)$/.exec(name)?.[1])
    const copy = readFileSync(join(folder, name))
    expect(copy.equals(log.subarray(at, at + copy.length))).toBe(true)
    expect(copy.toString('latin1')).toMatch(/^.mr1 .*\n.*"b1".*\n.*####.*\n.*"b3".*\n$/)
    expect(why).toBe(`${name}.why`)
    const said = readFileSync(join(folder, why), 'utf8')
    expect(said).toMatch(/00000001\.log is damaged: \d+ bytes at \d+ are not what was written/)
    expect(warnings).toHaveLength(2)
  })

  it('is read all the same where nothing can be put into quarantine', async () => {
    spoil('"b2"')
    const whole = withFiles(realDisk(), () => ({}))
    const create: Disk['create'] = (path) => {
      if (!path.includes('/quarantine/')) return whole.create(path)
      throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' })
    }
    const parts = { disk: { ...whole, create }, warn: (said: string) => warnings.push(said) }
    const store = openableFileStore({ path: root }, parts)
    await store.open({ scope: 'default' })
    expect(await ids(store)).toEqual(['a', 'b1', 'b3', 'c'])
    expect(warnings.join()).toMatch(/could not be put into quarantine/)
    await store.close()
  })

  it('is told also when nothing of the frame is left', async () => {
    spoil('"a"')
    const store = await open()
    expect(await ids(store)).toEqual(['b1', 'b2', 'b3', 'c'])
    expect(warnings).toHaveLength(1)
    await store.close()
  })

  it('is judged alike by who read it sound, who begins now, and who begins later', async () => {
    spoil('"b2"')
    const first = await open()
    const second = await open()
    await first.insert([{ jobs: [newJob('d')] }])
    expect(await ids(second)).toEqual(await ids(first))
    await first.close()
    await second.close()
    const third = await open()
    expect(await ids(third)).toEqual(['a', 'b1', 'b3', 'c', 'd'])
    await third.close()
  })
})
