// A handler may hold the event loop for as long as it likes: its node beats from a thread, so others
// leave it its jobs. Real processes, on what `npm run build` made.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { millrace } from '../../src/index.js'
import { sharedPostgres } from '../servers/postgres.js'

const server = await sharedPostgres()
const PROGRAM = new URL('holding-worker.mjs', import.meta.url)
const isBuilt = existsSync(new URL('../../dist/index.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'millrace-beats-'))
afterAll(() => rmSync(folder, { recursive: true }))
vi.setConfig({ testTimeout: 60_000 })

const STORES = [
  ['file', false, async () => `file:${folder}/log`],
  ['sqlite', false, async () => `sqlite:${folder}/jobs.db`],
  ['postgres', server.isMissing, () => server.database()],
] as const

describe.skipIf(!isBuilt)('a handler that holds the event loop (needs `npm run build`)', () => {
  it.for(STORES)('keeps its job: %s', async ([, isMissing, urlOf], { skip }) => {
    skip(isMissing, server.why)
    const url = await urlOf()
    await using mill = millrace(url, { lease: '1s', poll: '100ms' })
    const ran = vi.fn()
    await mill.queue('q').enqueue(1)
    const holder = fork(PROGRAM, [url])
    const said = async (word: string): Promise<void> => {
      const [message] = (await once(holder, 'message')) as [unknown] // as: what `fork` tells
      expect(message).toBe(word)
    }
    await said('holds')
    // From now on another looks for what the dead have left.
    mill.queue('q').work(ran)
    await said('held')
    holder.send('end')
    expect(await once(holder, 'exit')).toEqual([0, null])
    expect(ran).not.toHaveBeenCalled()
    expect(await mill.queue('q').length()).toBe(0)
  })
})
