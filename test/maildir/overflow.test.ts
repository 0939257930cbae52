// An inotify queue that really overflows: more happens in a folder of many letters than the system keeps
// news of, while the keeper's loop stands still, and then somebody takes a letter away.
import { mkdtempSync, readdirSync, readFileSync, rmSync, unlinkSync } from 'node:fs'
import { utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { millrace } from 'millrace'
import type { Queue } from 'millrace'

const LIMIT = '/proc/sys/fs/inotify/max_queued_events'
/** More than are compared with the folder without a reason. */
const LETTERS = 5_200
const LOT = 1_000
/** Read so late that more would take a test too long. */
const MOST = 100_000

function queuedEvents(): number {
  try {
    return Number(readFileSync(LIMIT, 'utf8'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return Infinity
    throw error
  }
}

const events = queuedEvents()
const reason = events > MOST ? ' (skipped: no queue of inotify that can be made to overflow)' : ''

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-overflow-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** The loop turns between two looks, so that whoever is to do something can. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve))
}

async function fill(queue: Queue): Promise<void> {
  for (let from = 0; from < LETTERS; from += LOT) {
    const payloads = Array.from({ length: Math.min(LOT, LETTERS - from) }, (_, n) => from + n)
    await queue.enqueueMany(payloads, { in: '1h' })
  }
}

describe.skipIf(reason !== '')(`a queue of inotify that overflows${reason}`, () => {
  it('hides nothing of what people did', { timeout: 120_000 }, async () => {
    await using mill = millrace(`maildir:${folder}/mail`)
    const queue = mill.queue('q')
    await fill(queue)
    const tray = `${folder}/mail/default/q/new`
    await until(() => readdirSync(tray).length === LETTERS)
    const [letter] = readdirSync(tray)
    // Within one turn: nothing of it is read before the end. Of two that take turns each is news.
    const noise = [`${tray}/noise0.tmp`, `${tray}/noise1.tmp`]
    for (const path of noise) writeFileSync(path, '')
    for (let n = 0; n < events; n++) utimesSync(noise[n % noise.length], n, n)
    for (const path of noise) unlinkSync(path)
    unlinkSync(`${tray}/${letter}`)
    await until(async () => (await queue.counts()).scheduled === LETTERS - 1)
    expect((await queue.counts()).scheduled).toBe(LETTERS - 1)
  })
})
