/**
 * The statements of the port on one handle: each is prepared when it is first asked, and run for each
 * row in turn. Whoever writes is alone, so there is nothing to lock.
 */
import type { OwnTx, Value } from '../sql/port.js'
import type { Asked, Statement } from '../sql/statements.js'
import { listed } from './driver.js'
import type { Bound, Handle, Prepared } from './driver.js'

export function statementsOn(
  handle: Handle,
  texts: Readonly<Record<Statement, string>>,
): Omit<OwnTx, 'now' | 'isUsers' | 'isOpen' | 'isFar' | 'lend'> {
  const known = new Map<Statement, Prepared>()
  const prepared = (name: Statement): Prepared => {
    const found = known.get(name) ?? handle.prepare(texts[name])
    known.set(name, found)
    return found
  }
  const all = <S extends Statement>(statement: S, params: readonly Value[]): Asked[S][] => {
    return prepared(statement).all(params.map(bound)) as Asked[S][] // as: what the statement is said to answer
  }
  return {
    all: async (statement, params) => all(statement, params),
    each: async (statement, shared, rows) => {
      return rows.flatMap((row) => all(statement, [...shared, ...row]))
    },
    write: (statement, shared, rows, check) => {
      let answered = 0
      for (const row of rows) answered += all(statement, [...shared, ...row]).length
      check?.(answered)
    },
    last: (statement, params) => {
      const rows = all(statement, params)
      return () => rows
    },
    lock: async () => undefined,
    spread: () => undefined,
    hold: async () => undefined,
  }
}

function bound(value: Value): Bound {
  return typeof value === 'object' && value !== null ? listed(value) : value
}
