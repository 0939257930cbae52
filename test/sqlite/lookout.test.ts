// A process that was killed on this host is seen by the next claim of another one, which says that a sweep
// would free its jobs; nobody waits for the lease, or for the next sweep.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Hint, Store } from '../../src/store.js'
import { openableSqliteStore } from '../../src/stores/sqlite/sqlite-store.js'
import { newJob } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'

async function beside(state: 'alive' | 'dead', use: (store: Store) => Promise<void>) {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-lookout-'))
  const path = join(folder, 'jobs.db')
  const liveness = ({ node }: { readonly node: string }) => (node === 'other' ? state : 'alive')
  const other = openableSqliteStore({ path }, {})
  const store = openableSqliteStore({ path }, { liveness })
  try {
    for (const one of [other, store]) await one.open({ scope: 'default' })
    await other.insert([{ jobs: [newJob('a'), newJob('b')] }])
    await (await PlayedNode.enlist(other, cardOf('other'))).take()
    await use(store)
  } finally {
    await Promise.all([other.close(), store.close()])
    rmSync(folder, { recursive: true })
  }
}

describe('whoever claims from an SQLite', () => {
  it('says that a neighbour of this host is dead, and a sweep then frees its jobs', async () => {
    await beside('dead', async (store) => {
      const told = new Promise<void>((resolve) => {
        store.watch(({ what }) => what === 'sweep' && resolve())
      })
      const node = await PlayedNode.enlist(store, cardOf('here'))
      expect((await node.take()).id).toBe('b')
      await told
      expect((await node.sweepAll()).freed).toBe(1)
      expect((await node.take()).id).toBe('a')
    })
  })

  it('says nothing of one that lives', async () => {
    await beside('alive', async (store) => {
      const heard: Hint['what'][] = []
      store.watch(({ what }) => heard.push(what))
      const node = await PlayedNode.enlist(store, cardOf('here'))
      await node.take()
      await store.nodes({ limit: 10, cursor: null })
      expect(heard).not.toContain('sweep')
    })
  })
})
