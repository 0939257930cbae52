// A child that comes while its parent is completed: the completion waits for it, and lets it go on. The
// transaction that brings it is that of a `job.commit`, held open for as long as the test wants.
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openablePostgresStore } from '../../src/stores/postgres/postgres-store.js'
import type { Store } from '../../src/store.js'
import { COMPLETE, newJob, settlement, upTo } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { sharedPostgres } from '../servers/postgres.js'
import { somebodyWaits } from './waiting.js'

const server = await sharedPostgres()

describe.skipIf(server.isMissing)(`a child beside its parent's completion${server.why}`, () => {
  let user: pg.Client
  let store: Store
  let node: PlayedNode

  beforeAll(async () => {
    const url = await server.database()
    store = openablePostgresStore({ url }, {})
    await store.open({ scope: 'default' })
    user = new pg.Client({ connectionString: url })
    await user.connect()
    node = await PlayedNode.enlist(store, cardOf('node'))
  })
  afterAll(async () => {
    await user.end()
    await store.close()
  })

  // The first claim of a queue looks at everything, and so do those of several tasks; what is claimed
  // plainly stands in a handful.
  it.each(upTo(3))(
    'is released by it, whichever way the parent was claimed (claim %i)',
    async (n) => {
      const parent = `parent-${n}`
      await store.insert([{ jobs: [newJob(parent), newJob(`other-${n}`, { queue: 'others' })] }])
      const [claimed] = (await node.claim({ limit: 1 })).jobs
      expect(claimed.id).toBe(parent)
      const other = await node.claim({ queue: 'others', limit: 1 })
      const child = newJob(`child-${n}`, { after: [{ queue: 'q', id: parent }] })
      const [isIn, mayEnd] = [signal(), signal()]
      const write = async (tx: unknown): Promise<void> => {
        await store.insert([{ jobs: [child], tx }])
        isIn.tell()
        await mayEnd.told
      }
      const terms = { signal: new AbortController().signal }
      const committed = store.commit(settlement(other.jobs[0], COMPLETE), write, terms)
      await isIn.told
      const settled = node.settle(claimed, COMPLETE)
      await somebodyWaits(user)
      mayEnd.tell()
      await committed
      expect(await settled).toMatchObject({ status: 'done', state: 'completed' })
      const { jobs } = await node.claim({ limit: 1 })
      expect(jobs).toMatchObject([{ id: `child-${n}` }])
      await node.settle(jobs[0], COMPLETE)
    },
  )
})

function signal(): { readonly told: Promise<void>; readonly tell: () => void } {
  let tell = (): void => undefined
  const told = new Promise<void>((resolve) => (tell = resolve))
  return { told, tell }
}
