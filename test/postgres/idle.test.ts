// What a worker that has nothing to do asks of the server, counted over ten minutes of virtual time.
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openablePostgresStore } from '../../src/stores/postgres/postgres-store.js'
import type { Store } from '../../src/store.js'
import { VirtualClock } from '../../src/time/virtual.js'
import { COMPLETE, insert, newJob, rig, working } from '../engine/harness.js'
import { sharedPostgres } from '../servers/postgres.js'

const server = await sharedPostgres()

const SECOND = 1_000
const MINUTES = 10
/** Of one statement each, and its beginning and end: a look every poll, and what upkeep looks at. */
const TRANSACTIONS_A_MINUTE = 60
const STATEMENTS_A_MINUTE = 300

describe.skipIf(server.isMissing)(`a worker that has nothing to do${server.why}`, () => {
  let pool: pg.Pool
  const asked = { statements: 0, transactions: 0 }

  beforeAll(async () => {
    pool = new pg.Pool({ connectionString: await server.database(), max: 4 })
    pool.on('connect', (client) => {
      const query = client.query.bind(client) as (...words: unknown[]) => unknown
      const counted = (...words: unknown[]): unknown => {
        const [what] = words
        const text = typeof what === 'string' ? what : (what as { text?: string }).text
        asked.statements++
        if (text?.startsWith('BEGIN') === true) asked.transactions++
        return query(...words)
      }
      Object.assign(client, { query: counted })
    })
  })
  afterAll(() => pool.end())

  /** `rested`: all that was asked of it is answered, and nothing is asked for that. */
  function watched(store: Store): { readonly store: Store; rested(): Promise<void> } {
    const running = new Set<Promise<unknown>>()
    const seen = new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        return (...words: unknown[]): unknown => {
          const answer: unknown = Reflect.apply(value, target, words)
          if (!(answer instanceof Promise)) return answer
          running.add(answer)
          const over = (): boolean => running.delete(answer)
          answer.then(over, over)
          return answer
        }
      },
    })
    const rested = async (): Promise<void> => {
      do {
        await Promise.allSettled(running)
        await new Promise((resolve) => setImmediate(resolve))
      } while (running.size > 0)
    }
    return { store: seen, rested }
  }

  it('asks little, and at length for nothing', { timeout: 120_000 }, async () => {
    const clock = new VirtualClock()
    const { store, rested } = watched(openablePostgresStore({ pool }, { now: () => clock.wall() }))
    const { engine, told } = rig({ clock, wrap: () => store })
    await insert(engine, newJob('first'))
    engine.start(working(() => COMPLETE))
    const pass = async (seconds: number): Promise<void> => {
      for (let second = 0; second < seconds; second++) {
        await clock.advance(SECOND)
        await rested()
      }
    }
    await pass(60)
    const before = { ...asked }
    await pass(60 * MINUTES)
    const transactions = (asked.transactions - before.transactions) / MINUTES
    const statements = (asked.statements - before.statements) / MINUTES
    expect(transactions).toBeGreaterThan(20)
    expect(transactions).toBeLessThanOrEqual(TRANSACTIONS_A_MINUTE)
    expect(statements).toBeLessThanOrEqual(STATEMENTS_A_MINUTE)
    expect(told('store.error')).toEqual([])
    const closed = engine.close({ timeout: 0 })
    await clock.advance(60 * SECOND)
    await closed
  })
})
