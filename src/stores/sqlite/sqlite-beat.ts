/**
 * Beats from a thread of their own: "I live" must reach the file also while a handler blocks the event
 * loop for minutes. The thread has a handle of its own, which hears nothing.
 */
import type { Millis } from '../../job/job.js'
import type { Section } from '../../store.js'
import type { Beater } from '../sql/beater.js'
import { beating } from '../sql/beater.js'
import { SqlStore } from '../sql/sql-store.js'
import { SqliteMedium } from './sqlite-medium.js'
import type { BeatData } from './sqlite-medium.js'

export function beater(data: unknown, _every: Millis, section: Section): Beater {
  const { path, prefix, scope, file } = data as BeatData // from `beatRecipe` of the same version
  const medium = () => new SqliteMedium({ path }, { prefix, beatsIn: file, section })
  return beating(() => new SqlStore('sqlite', medium()), scope)
}
