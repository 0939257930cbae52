/** How our transactions begin, and what waits for the disk behind one that did not. */
import type { Millis } from '../../job/job.js'
import type { Purpose } from '../sql/port.js'

/** By the server, in milliseconds; it moves on within a transaction, so it is asked once. */
export const NOW = '(extract(epoch FROM clock_timestamp()) * 1000)::float8'

/** When the server hears nothing for so long within a transaction, we are gone, and our locks go. */
const SILENT_AT_MOST: Millis = 15_000

/**
 * Somewhat less than we wait for an answer: who waits for a lock that somebody keeps gives up by
 * himself. A server does not hear that we have gone, and would keep each one that we gave up.
 */
const LOCKED_AT_MOST: Millis = 9_000
/** The same for who does something else instead. */
const LOCKED_BRISKLY: Millis = 200

/** Whatever the database's own default is: rows that others have changed are to be seen as they are. */
export const BEGIN: Readonly<Record<Purpose, string>> = {
  read: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
  durable: 'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE',
  loose: 'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE',
}

const SETTINGS = `
  SELECT set_config('array_nulls',      'on',  true),
         set_config('enable_seqscan',   'off', true),
         set_config('enable_hashjoin',  'off', true),
         set_config('enable_mergejoin', 'off', true),
         set_config('jit',              'off', true)`

/**
 * Of a server, which outlives us: it need not wait for us for ever, and not we for its disk. Our plans
 * depend on no value, and to plan a claim anew each time takes it half as long again as the claim.
 */
const lockedFor = (most: Millis): string => `set_config('lock_timeout', '${most}', true)`
/** Of what is brisk: who waits for his turn with a queue waits as ever, since that is short. */
export const patiently = (locks: string): string =>
  `${lockedFor(LOCKED_AT_MOST)}, ${locks}, ${lockedFor(LOCKED_BRISKLY)}`

const ofServer = (lockedAtMost: Millis): string => `,
         set_config('plan_cache_mode', 'force_generic_plan', true),
         ${lockedFor(lockedAtMost)},
         set_config('idle_in_transaction_session_timeout', '${SILENT_AT_MOST}', true)`
/** Nobody analyzes it: a plan that was made for small tables would be kept for large ones. */
const OF_OUR_OWN = `,
         set_config('plan_cache_mode', 'force_custom_plan', true)`
/** The least that a server makes durable, and with it all that was committed before. */
export const FLUSH = "SELECT pg_logical_emit_message(true, 'millrace', '')"
const LOOSELY = `,
         set_config('synchronous_commit', 'off', true)`

/** `isOurOwn`: the server runs in this process. */
export interface Beginning {
  readonly isOurOwn: boolean
  readonly isBrisk: boolean
}

/** The settings of a transaction. */
export function settingsOf(purpose: Purpose, { isOurOwn, isBrisk }: Beginning): string {
  if (isOurOwn) return SETTINGS + OF_OUR_OWN
  const ofOurs = SETTINGS + ofServer(isBrisk ? LOCKED_BRISKLY : LOCKED_AT_MOST)
  return ofOurs + (purpose === 'loose' ? LOOSELY : '')
}
