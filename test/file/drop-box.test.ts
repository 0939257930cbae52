import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { encodeName } from '../../src/disk/names.js'
import { openableFileStore } from '../../src/stores/file/file-store.js'
import type { Store } from '../../src/store.js'

let root: string
let store: Store
let warnings: string[]

const box = (queue: string): string => join(root, 'default', 'in', encodeName(queue))
const quarantined = (): string[] => readdirSync(join(root, 'default', 'quarantine'))

async function open(): Promise<Store> {
  const opened = openableFileStore({ path: root }, { warn: (message) => warnings.push(message) })
  await opened.open({ scope: 'default' })
  return opened
}

async function sweep(): Promise<void> {
  await store.sweep({ node: 'n', limit: 100 })
}

async function payloads(queue: string): Promise<string[]> {
  const page = await store.list({ queue, which: {}, page: { limit: 100, cursor: null } })
  return page.items.map(({ payload }) => payload.text).sort()
}

/** As if it had been lying there for a minute. */
function age(path: string): void {
  const then = new Date(Date.now() - 60_000)
  utimesSync(path, then, then)
}

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'millrace-drop-'))
  warnings = []
  store = await open()
})

afterEach(async () => {
  await store.close()
  rmSync(root, { recursive: true, force: true })
})

describe('the drop box', () => {
  it('makes a job of a JSON file, once, whatever its name and however it is laid out', async () => {
    mkdirSync(box('Mails/élan'))
    writeFileSync(join(box('Mails/élan'), 'hello world.json'), '{\n  "to": "ada"\n}\n')
    writeFileSync(join(box('Mails/élan'), '日本'), '"x"')
    await sweep()
    await sweep()
    expect(await payloads('Mails/élan')).toEqual(['"x"', '{"to":"ada"}'])
    expect(readdirSync(box('Mails/élan'))).toEqual([])
  })

  it('leaves alone what is hidden or still being written', async () => {
    mkdirSync(box('q'))
    writeFileSync(join(box('q'), '.hidden'), '1')
    writeFileSync(join(box('q'), 'half'), '{"to":')
    await sweep()
    expect(await payloads('q')).toEqual([])
    expect(readdirSync(box('q')).sort()).toEqual(['.hidden', 'half'])
    writeFileSync(join(box('q'), 'half'), '{"to":1}')
    await sweep()
    expect(await payloads('q')).toEqual(['{"to":1}'])
  })

  it('puts what never becomes JSON into quarantine, with its reason', async () => {
    mkdirSync(box('q'))
    writeFileSync(join(box('q'), 'bad'), 'not json')
    age(join(box('q'), 'bad'))
    writeFileSync(join(box('q'), 'good'), '1')
    await sweep()
    expect(await payloads('q')).toEqual(['1'])
    const why = quarantined().filter((name) => name.endsWith('.why'))
    expect(why).toHaveLength(1)
    expect(readFileSync(join(root, 'default', 'quarantine', why[0]), 'utf8')).toMatch(/JSON/)
    expect(warnings).toHaveLength(1)
  })

  it('follows no link, opens no folder, and goes on with the neighbours', async () => {
    mkdirSync(box('q'))
    writeFileSync(join(root, 'secret'), '{"secret":1}')
    symlinkSync(join(root, 'secret'), join(box('q'), 'link'))
    mkdirSync(join(box('q'), 'folder'))
    writeFileSync(join(box('q'), 'good'), '2')
    await sweep()
    expect(await payloads('q')).toEqual(['2'])
    expect(quarantined().filter((name) => name.endsWith('.why'))).toHaveLength(2)
  })

  it('takes up what a crash left between the rename and the insert, under the id it was given', async () => {
    const id = '01KA0000000000000000000000'
    writeFileSync(join(root, 'default', 'tmp', `${id}.q.drop`), '{"left":1}')
    await sweep()
    const [found] = await store.get([{ queue: 'q', id }])
    expect(found).toMatchObject({ kind: 'job', job: { payload: { text: '{"left":1}' } } })
    writeFileSync(join(root, 'default', 'tmp', `${id}.q.drop`), '{"left":1}')
    await sweep()
    expect(await payloads('q')).toHaveLength(1)
    expect(readdirSync(join(root, 'default', 'tmp'))).toEqual([])
  })

  it('leaves a file where it is while the queue is full', async () => {
    await store.declare('q', { limits: { backlog: 1 } })
    mkdirSync(box('q'))
    writeFileSync(join(box('q'), 'a'), '1')
    writeFileSync(join(box('q'), 'b'), '2')
    await sweep()
    expect(await payloads('q')).toHaveLength(1)
    expect(readdirSync(box('q'))).toHaveLength(1)
    expect(quarantined()).toEqual([])
  })

  it('lets two processes share one box without taking anything twice', async () => {
    const other = await open()
    mkdirSync(box('q'))
    for (let n = 0; n < 40; n++) writeFileSync(join(box('q'), `file-${n}`), String(n))
    await Promise.all([sweep(), other.sweep({ node: 'm', limit: 100 })])
    await sweep()
    await other.close()
    expect(new Set(await payloads('q')).size).toBe(40)
    expect(await payloads('q')).toHaveLength(40)
  })
})
