/**
 * Our own transaction, lent to the user's function for statements of his own. Promises that what he
 * was lent is dead afterwards; that a statement of his which failed, and so has spoilt the
 * transaction, is what is told, even when he caught it; and that a transaction which he ended himself
 * is found out, by a mark that the server forgets with it.
 */
import { invalid } from '../../job/check.js'
import type { Lent } from '../sql/port.js'
import type { Client } from './client.js'

const MARK = "SELECT set_config('millrace.commit', 'open', true)"
const LOOK = "SELECT current_setting('millrace.commit', true) AS mark"

export function lend(client: Pick<Client, 'query'>): Lent {
  let isOver = false
  const failures: unknown[] = []
  const marked = client.query({ text: MARK })
  marked.catch(() => undefined) // the look at it tells
  const query = async (text: unknown, params: readonly unknown[] = []): Promise<unknown> => {
    if (isOver) throw over()
    if (typeof text !== 'string') throw invalid('tx.query', 'SQL as a string', text)
    try {
      const { rows } = await client.query({ text, values: [...params] })
      return { rows }
    } catch (error) {
      failures.push(error)
      throw error
    }
  }
  return {
    client: { query },
    async takeBack() {
      isOver = true
      const [looked] = await Promise.allSettled([client.query({ text: LOOK })])
      if (looked.status === 'rejected') throw failures[0] ?? looked.reason
      const [row] = looked.value.rows as [{ readonly mark: string | null }] // as: what LOOK asks
      if (row.mark !== 'open') throw ended()
      // What his tables would refuse only at the commit is an error of his, and is told while it can be.
      await client.query({ text: 'SET CONSTRAINTS ALL IMMEDIATE' })
    },
    revoke: () => {
      isOver = true
    },
  }
}

function over(): Error {
  return invalid(
    'job.commit tx',
    'to be used before its function answers',
    'a statement after that',
    'await every statement within the function',
  )
}

function ended(): Error {
  return invalid(
    'job.commit tx',
    'the transaction to be left open',
    'COMMIT or ROLLBACK',
    'leave them out: it commits with the job, and a throw rolls it back',
  )
}
