// Where the host has no watches left, a store opens all the same: what is not heard costs a poll.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it, vi } from 'vitest'
import { millrace } from '../../src/millrace.js'
import { sqliteStore } from '../../src/stores/sqlite/sqlite-store.js'

vi.mock('node:fs', async (original) => {
  const none = (): never => {
    throw Object.assign(new Error('EMFILE: too many open files, watch'), { code: 'EMFILE' })
  }
  const real: { default: object } = await original()
  return { ...real, watch: none, default: { ...real.default, watch: none } }
})

const folder = mkdtempSync(join(tmpdir(), 'millrace-unwatched-'))
afterAll(() => rmSync(folder, { recursive: true }))

it('a database opens though nothing can be watched', async () => {
  const mill = millrace(sqliteStore({ path: join(folder, 'jobs.db') }))
  const queue = mill.queue<number, number>('q')
  queue.work((n) => n + 1)
  const job = await queue.enqueue(1)
  expect(await job.result()).toBe(2)
  await mill.close()
})
