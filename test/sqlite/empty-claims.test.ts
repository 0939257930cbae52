// A claim that finds nothing: it writes nothing, so that nobody else is woken by it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { openFile } from '../../src/stores/sqlite/driver.js'
import { sqliteStore } from '../../src/stores/sqlite/sqlite-store.js'
import { newJob } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'

const folder = mkdtempSync(join(tmpdir(), 'empty-claims-'))
afterAll(() => rmSync(folder, { recursive: true }))

it('a claim of an empty queue leaves the database as it was', async () => {
  const path = join(folder, 'jobs.db')
  const store = sqliteStore({ path })
  await store.open({ scope: 'default' })
  const other = await openFile(path)
  const version = (): unknown => other.prepare('PRAGMA data_version').all([])[0].data_version
  const node = await PlayedNode.enlist(store, cardOf('node'))
  await store.insert([{ jobs: [newJob('first')] }])
  const { jobs } = await node.claim({ limit: 10 })
  await node.settle(jobs[0], { kind: 'complete', result: null })
  const before = version()
  for (let claims = 0; claims < 3; claims++) {
    expect((await node.claim({ limit: 10 })).jobs).toEqual([])
    expect(version()).toBe(before)
  }
  await store.insert([{ jobs: [newJob('second')] }])
  expect(version()).not.toBe(before)
  const [second] = (await node.claim({ limit: 10 })).jobs
  expect(BigInt(second.token)).toBeGreaterThan(BigInt(jobs[0].token))
  other.close()
  await store.close()
})
