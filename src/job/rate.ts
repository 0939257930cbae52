/**
 * The arithmetic of rates: how long a grant counts. A rate promises that no sliding window of `per`
 * sees more than `count` starts, while a store can only count the grants that come before them.
 * Counting the grants is left to the store, keeping the allowance to the engine.
 */
import type { Millis } from './job.js'

/** Shorter spans of time pass between a grant and its start on any busy machine. */
const ALLOWANCE_LEAST = 5
/** Longer ones would make a rate noticeably slower than it was declared. */
const ALLOWANCE_MOST = 250
/** What it may cost of the rate: a 64th. */
const ALLOWANCE_SHARE = 1 / 64

/**
 * How long after its claim was sent a job of a rated queue may be started; later, it is given back
 * unrun. `per`: the rate's window. In milliseconds.
 */
export function startAllowance(per: Millis): Millis {
  return Math.min(ALLOWANCE_MOST, Math.max(ALLOWANCE_LEAST, per * ALLOWANCE_SHARE))
}

/** How long a grant counts, so that starts obey `per` however long each took to come about. */
export function grantSpan(per: Millis): Millis {
  return per + startAllowance(per)
}
