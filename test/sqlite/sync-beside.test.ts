// What a store in SQLite does while the disk syncs: others see it and run it, and nobody is answered.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { sqliteStore } from '../../src/stores/sqlite/sqlite-store.js'
import { newJob } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'

/** Syncs of the disk wait here while it is held. */
const held = vi.hoisted(() => ({ isHeld: false, waiting: [] as (() => void)[] }))

vi.mock('node:fs', async (original) => {
  const real: { fdatasync: (descriptor: number, done: (error: Error | null) => void) => void } =
    await original()
  return {
    ...real,
    fdatasync(descriptor: number, done: (error: Error | null) => void): void {
      const go = (): void => real.fdatasync(descriptor, done)
      if (held.isHeld) held.waiting.push(go)
      else go()
    },
  }
})

describe('a store in SQLite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sync-beside-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  /** Whether it has been answered, after all that needs no disk. */
  async function isAnswered(promise: Promise<unknown>): Promise<boolean> {
    let answered = false
    void promise.then(() => (answered = true))
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve))
    return answered
  }

  it('is seen to have done what it answers only once it is synced', async () => {
    const path = join(folder, 'jobs.db')
    const [store, other] = [sqliteStore({ path }), sqliteStore({ path })]
    await store.open({ scope: 'default' })
    await other.open({ scope: 'default' })
    const node = await PlayedNode.enlist(other, cardOf('node'))
    await store.insert([{ jobs: [newJob('first')] }])
    expect((await node.claim({ limit: 1 })).jobs).toHaveLength(1)
    for (const round of ['the longer way', 'in one trip']) {
      held.isHeld = true
      const inserted = store.insert([{ jobs: [newJob(round)] }])
      expect(await isAnswered(inserted)).toBe(false)
      const { jobs } = await node.claim({ limit: 1 })
      expect(jobs).toMatchObject([{ id: round }])
      const settled = node.settle(jobs[0], { kind: 'complete', result: null })
      expect(await isAnswered(settled)).toBe(false)
      expect((await node.claim({ limit: 1 })).jobs).toHaveLength(0)
      held.isHeld = false
      for (const go of held.waiting.splice(0)) go()
      expect(await inserted).toMatchObject([[{ status: 'inserted' }]])
      expect(await settled).toMatchObject({ status: 'done' })
    }
    await store.close()
    await other.close()
  })
})
