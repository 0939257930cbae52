/**
 * Beats from a thread of their own: "I live" must reach the server also while a handler blocks the event
 * loop for minutes. The thread has a store with one connection, which hears nothing.
 */
import type { Millis } from '../../job/job.js'
import type { Beater } from '../sql/beater.js'
import { beating } from '../sql/beater.js'
import type { BeatData } from './access.js'
import { SqlStore } from '../sql/sql-store.js'
import { PostgresMedium } from './postgres-medium.js'

/** What takes longer than until the next is given up, so that this one can be tried on another connection. */
const LEAST: Millis = 500

export function beater(data: unknown, every: Millis): Beater {
  const { url, schema, scope } = data as BeatData // from `beatRecipe` of the same version
  const within = Math.max(LEAST, every)
  const patience = { answers: within, connects: within }
  const medium = () => new PostgresMedium({ url, schema }, { isBeater: true, patience })
  return beating(() => new SqlStore('postgres', medium()), scope)
}
