// The real store in the user's own transaction, with the real libraries: what was enqueued is there when
// it commits and never when it does not, whatever stands in a job. PGlite is a database of its own, on
// which no store is, so it must be refused.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { millrace } from '../../src/index.ts'
import { postgresStore } from '../../src/stores/postgres/postgres-store.ts'
import { sharedPostgres } from '../servers/postgres.ts'
import { LIBRARIES } from './libraries.mjs'

const server = await sharedPostgres()
const ODD = ['', 'NULL', '{a,"b"}', 'it\'s \\ " ? $1', 'Straße 日本 🙂', 'nul \u0000 \u0001 end']

describe.skipIf(server.isMissing).each(Object.entries(LIBRARIES))(`%s${server.why}`, (_, open) => {
  let library
  let mill
  let queue
  let isElsewhere

  beforeAll(async () => {
    const url = await server.database()
    library = await open(url)
    isElsewhere = library.select !== undefined
    mill = millrace(postgresStore({ url }))
    queue = mill.queue('jobs', { limits: { age: '1d' } })
    await queue.enqueue('first')
  })
  afterAll(async () => {
    await library?.close()
    await mill?.close()
  })

  it('enqueues if and only if it commits', async () => {
    if (isElsewhere) {
      const refused = library.transaction((tx) => queue.enqueue(1, { tx }))
      await expect(refused).rejects.toThrow('OPTION_INVALID')
      return
    }
    const made = []
    await library.transaction(async (tx) => {
      for (const [at, odd] of ODD.entries()) {
        const options = {
          tx,
          group: odd,
          priority: at,
          tags: ['t'],
          meta: { odd },
          unique: { key: `key ${at}` },
        }
        made.push(await queue.enqueue({ odd }, options))
      }
      const [parent] = made
      made.push(await queue.enqueue('child', { tx, after: [parent], attempts: 7 }))
      made.push(...(await queue.enqueueMany([1, 2, 3], { expiresIn: '1h' }, { tx })))
      expect(await queue.get(parent.id)).toBeNull()
    })
    const views = await Promise.all(made.map(({ id }) => queue.get(id)))
    expect(
      views.slice(0, ODD.length).map(({ payload, group, meta }) => [payload, group, meta]),
    ).toEqual(ODD.map((odd) => [{ odd }, odd, { odd }]))
    expect(views[ODD.length]).toMatchObject({ payload: 'child', state: 'waiting', maxAttempts: 7 })
    const held = await queue.take({ limit: 20, wait: 0 })
    expect(held).toHaveLength(1 + ODD.length + 3)
    for (const job of held) await job.complete(undefined)

    let lost
    const failed = library.transaction(async (tx) => {
      lost = await queue.enqueue('never', { tx, unique: { key: 'again' } })
      throw new Error('changed my mind')
    })
    await expect(failed).rejects.toThrow('changed my mind')
    expect(await queue.get(lost.id)).toBeNull()
  })
})
