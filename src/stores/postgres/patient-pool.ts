/**
 * A pool of the user's, whose connections may all be taken for as long as he likes. Transactions of his
 * that hold the whole pool while each of them enqueues would wait for one another for ever, since what
 * is enqueued in them needs a connection apart: whoever waits too long is told.
 */
import { millraceError } from '../../job/errors.js'
import type { Millis } from '../../job/job.js'
import type { Clock } from '../../time/clock.js'
import type { Client, Pool } from './client.js'

/** Its connections come within `most`, or STORE_UNREACHABLE does. */
export function patientPool(pool: Pool, most: Millis, clock: Clock): Pool {
  const connect = (): Promise<Client> =>
    new Promise((resolve, reject) => {
      let isLate = false
      const timer = clock.after(most, () => {
        isLate = true
        reject(noneFree(most))
      })
      const came = (client: Client): void => {
        timer.cancel()
        // Nobody waits for it any more: it is the next one's.
        if (isLate) client.release()
        else resolve(client)
      }
      const failed = (error: Error): void => {
        timer.cancel()
        reject(error)
      }
      pool.connect().then(came, failed)
    })
  return { connect }
}

/** How many it may have; null: it does not say. */
export function sizeOf(pool: object): number | null {
  if (!('options' in pool) || typeof pool.options !== 'object' || pool.options === null) return null
  const { options } = pool
  return 'max' in options && typeof options.max === 'number' ? options.max : null
}

function noneFree(most: Millis): Error {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject: 'store postgres',
    expected: `a connection of the pool within ${most} ms`,
    received: 'none that was free',
    remedy:
      'look whether the server answers; where transactions of yours may hold the whole pool, give Millrace one of its own',
  })
}
