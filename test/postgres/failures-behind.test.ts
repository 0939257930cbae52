// Statements leave without waiting for those before them. Where one fails, all behind it fail by that, and
// of several that arrive at once who waits for the least hears first: what counts is what failed first.
import { expect, it } from 'vitest'
import { Connections } from '../../src/stores/postgres/connection.js'
import type { Client } from '../../src/stores/postgres/client.js'
import type { OwnTx } from '../../src/stores/sql/port.js'
import { systemChance, systemClock } from '../../src/time/system.js'

/** As the server says it. */
function failure(code: string): Error {
  return Object.assign(new Error(code), { code, severity: 'ERROR' })
}
const LOCK_TIMEOUT = '55P03'
const BEHIND_A_FAILURE = '25P02'

/** Its first transaction fails at a lock; what stands behind that is answered at the same moment. */
function busyOnce(): Client {
  let begun = 0
  const told: string[] = []
  const answer = async (text: string): Promise<{ rows: unknown[] }> => {
    if (text.startsWith('BEGIN')) begun++
    if (begun > 1 || text === 'ROLLBACK' || /^BEGIN|AS now$/.test(text))
      return { rows: [{ now: 7 }] }
    told.push(text)
    throw failure(told.length === 1 ? LOCK_TIMEOUT : BEHIND_A_FAILURE)
  }
  return {
    pipeline: true,
    query: ({ text }) => answer(text),
    release: () => undefined,
    on: () => undefined,
    off: () => undefined,
  }
}

/** As what asks for several things at once, and hears of the lock later than others of what stands behind it. */
async function enter(tx: OwnTx): Promise<void> {
  await Promise.all([Promise.all([tx.lock([1], 'alone')])])
}

it('a transaction is done again for what failed first, whoever hears of it first', async () => {
  const connections = new Connections({
    ...{ pool: { connect: async () => busy }, schema: '', lockClass: 1 },
    ...{ clock: systemClock, chance: systemChance },
  })
  const busy = busyOnce()
  const looked = await connections.transact('loose', async (tx) => {
    const locked = enter(tx)
    const [rows] = await Promise.all([tx.all('queue.all', [1]), locked])
    return rows
  })
  expect(looked).toEqual([{ now: 7 }])
})
