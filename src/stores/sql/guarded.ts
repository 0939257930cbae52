/** A transaction that may end without our doing: before each statement it is asked whether it is there. */
import type { Tx } from './port.js'

/** `check`: throws where it is over. */
export function guarded(tx: Tx, check: () => void): Tx {
  return {
    ...tx,
    all: async (statement, params) => (check(), tx.all(statement, params)),
    each: async (statement, shared, rows) => (check(), tx.each(statement, shared, rows)),
    write: (statement, shared, rows, answered) => {
      check()
      tx.write(statement, shared, rows, answered)
    },
  }
}
