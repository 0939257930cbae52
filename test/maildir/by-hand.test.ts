// A folder that nobody has open is handled by hand, in a real folder: a letter is removed, moved from
// `dead` to `new`, edited, edited badly, and the next keeper takes it as it was meant.
import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { discardAs, newJob, QUEUE } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { openableMaildirStore } from '../../src/stores/maildir/maildir-store.js'
import type { JobRecord } from '../../src/job/job.js'
import type { Store } from '../../src/store.js'

let path: string
let warnings: string[]

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'millrace-letters-'))
  warnings = []
})
afterEach(() => rmSync(path, { recursive: true, force: true }))

async function within<T>(run: (store: Store) => Promise<T>): Promise<T> {
  const warn = (message: string): void => void warnings.push(message)
  const store = openableMaildirStore({ path }, { warn })
  await store.open({ scope: 'default' })
  try {
    return await run(store)
  } finally {
    await store.close()
  }
}

function tray(name: string): string {
  return join(path, 'default', QUEUE, name)
}

/** The only letter there. */
function letterIn(name: string): string {
  const [letter, ...others] = readdirSync(tray(name))
  expect(others).toEqual([])
  return join(tray(name), letter)
}

async function jobs(store: Store): Promise<readonly JobRecord[]> {
  const { items } = await store.list({ queue: QUEUE, which: {}, page: { limit: 10, cursor: null } })
  return items
}

/** An editor writes later than the keeper did. */
function edit(file: string, change: (text: string) => string): void {
  writeFileSync(file, change(readFileSync(file, 'utf8')))
  const later = Date.now() / 1000 + 60
  utimesSync(file, later, later)
}

describe('a maildir that is handled by hand', () => {
  it('is a store wherever it is copied to, though somebody works in the first one', async () => {
    const copy = `${path}-copy`
    try {
      await within(async (store) => {
        await store.insert([{ jobs: [newJob('a'), newJob('b')] }])
        const node = await PlayedNode.enlist(store, cardOf('node'))
        expect((await node.claim({ limit: 1 })).jobs).toHaveLength(1)
        cpSync(path, copy, { recursive: true })
        await store.insert([{ jobs: [newJob('c')] }])
      })
      const there = openableMaildirStore({ path: copy }, { warn: () => undefined })
      await there.open({ scope: 'default' })
      const found = (await jobs(there)).map(({ id, state }) => `${id} ${state}`)
      expect(found.sort()).toEqual(['a running', 'b available'])
      await there.close()
    } finally {
      rmSync(copy, { recursive: true, force: true })
    }
  })

  it('forgets a letter that is removed', async () => {
    await within((store) => store.insert([{ jobs: [newJob('a'), newJob('b')] }]))
    const [first] = readdirSync(tray('new')).sort()
    rmSync(join(tray('new'), first))
    expect((await within(jobs)).map(({ id }) => id)).toEqual(['b'])
    expect(warnings).toEqual([])
  })

  it('retries what is moved out of dead into new, with its history', async () => {
    await within(async (store) => {
      await store.insert([{ jobs: [newJob('a')] }])
      const node = await PlayedNode.enlist(store, cardOf('node'))
      await node.settle(await node.take(), discardAs('unused'))
    })
    const dead = letterIn('dead')
    renameSync(dead, dead.replace('/dead/', '/new/'))
    const [job] = await within(jobs)
    expect([job.state, job.attempt, job.history.length]).toEqual(['available', 0, 1])
    expect(readdirSync(tray('dead'))).toEqual([])
    expect(JSON.parse(readFileSync(letterIn('new'), 'utf8'))).toMatchObject({ state: 'available' })
  })

  it('takes an edited payload and priority, and gives the letter its checksum again', async () => {
    await within((store) => store.insert([{ jobs: [newJob('a')] }]))
    edit(letterIn('new'), (text) =>
      text
        .replace(/"payload": .*/, '"payload": {"edited": true},')
        .replace('"enqueued"', '"priority": 7, "enqueued"'),
    )
    const [job] = await within(jobs)
    expect([JSON.parse(job.payload.text), job.priority]).toEqual([{ edited: true }, 7])
    warnings = []
    expect((await within(jobs)).map(({ priority }) => priority)).toEqual([7])
    expect(warnings).toEqual([])
  })

  it('puts a bad edit, damage and strangers into quarantine, each with its reason', async () => {
    await within((store) => store.insert([{ jobs: [newJob('a'), newJob('b'), newJob('c')] }]))
    const [a, b] = readdirSync(tray('new')).sort()
    edit(join(tray('new'), a), (text) => text.replace('"enqueued"', '"priority": 1000, "enqueued"'))
    appendFileSync(join(tray('new'), b), 'rot')
    writeFileSync(join(tray('new'), 'stranger.txt'), 'hello')
    expect((await within(jobs)).map(({ id }) => id)).toEqual(['c'])
    const quarantine = join(path, 'default', '.keeper', 'quarantine')
    const reasons = readdirSync(quarantine).filter((name) => name.endsWith('.why'))
    const texts = reasons.map((name) => readFileSync(join(quarantine, name), 'utf8')).sort()
    expect(texts).toEqual([
      'it is neither whole nor JSON\n',
      'it was edited, and has no priority from -100 to 100: 1000\n',
      'its name is none that Millrace gives\n',
    ])
    expect(warnings).toHaveLength(3)
  })
})
