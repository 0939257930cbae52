/**
 * How late a job of a rated queue may start. The store counts a grant from when it gave it; so that
 * starts obey the window too, what could not be started within the allowance of sending the claim
 * goes back unrun (`job/rate.ts` has the arithmetic). Giving back is left to the worker.
 *
 * Where claims take longer than the allowance, by a store that is far or a process that is busy,
 * every grant would be spent unused. So a node measures how late its jobs start and asks, with its
 * next claims, for a margin: its grants then count from so much later, and may be used so much later.
 * That costs the rate the margin's part of `per`, and nothing where the allowance is enough.
 */
import type { JobRef, Millis } from '../job/job.js'
import { millraceError } from '../job/errors.js'
import type { MillraceError } from '../job/errors.js'
import { startAllowance } from '../job/rate.js'
import type { Settings } from '../job/settings.js'

/** So much more than was just needed is asked for next. */
const HEADROOM = 1.5
/** What is needed no longer is given up in such parts, start by start. */
const DECAY = 0.02
/** Whoever is later than this is in trouble that a margin should not hide. */
const MARGIN_MOST = 2_000

/** A claim as it departed. */
export interface Sent {
  /** By `mono`. */
  readonly at: number
  /** What it asked for. */
  readonly margin: Millis
}

/** How much later than the allowance this node has been starting jobs. */
export class Lateness {
  #margin = 0

  /** What the next claim should ask for, in whole milliseconds. */
  get margin(): Millis {
    return Math.ceil(this.#margin)
  }

  /** A job could be started so long after the allowance was over; before it: negative. */
  saw(late: Millis): void {
    const wanted = Math.min(MARGIN_MOST, Math.max(0, late * HEADROOM))
    if (wanted >= this.#margin) this.#margin = wanted
    else this.#margin -= Math.max((this.#margin - wanted) * DECAY, Math.min(this.#margin, DECAY))
  }
}

/** What a rate gave to one job: leave to start, for a while. */
export class Grant {
  /** By `mono`. */
  readonly until: number
  /** What its claim had asked for. */
  readonly margin: Millis
  readonly #lateness: Lateness

  constructor(until: number, margin: Millis, lateness: Lateness) {
    this.until = until
    this.margin = margin
    this.#lateness = lateness
  }

  isOver(now: number): boolean {
    return now > this.until
  }

  /** Its job was started, or given back because it could not be. */
  usedAt(now: number): void {
    this.#lateness.saw(now - this.until + this.margin)
  }
}

/** Null: the job's queue has no rate. */
export function grantOf(settings: Settings, sent: Sent, lateness: Lateness): Grant | null {
  const allowance = allowanceOf(settings)
  if (allowance === Infinity) return null
  return new Grant(sent.at + allowance + sent.margin, sent.margin, lateness)
}

function allowanceOf({ rate, groups }: Settings): Millis {
  if (rate === null && groups.rate === null) return Infinity
  return startAllowance(Math.min(rate?.per ?? Infinity, groups.rate?.per ?? Infinity))
}

/** Why it goes back, for whoever set the rate. `late`: by how much it passed what it had. */
export function startedLate({ queue }: JobRef, settings: Settings, late: Millis): MillraceError {
  const allowed = allowanceOf(settings)
  return millraceError({
    code: 'OPTION_INVALID',
    subject: `queue(${JSON.stringify(queue)}).rate`,
    expected: `starts within ${allowed} ms of asking for them, as this rate needs`,
    received: `${Math.round(allowed + late)} ms`,
    remedy:
      'declare a longer `per`, or free this process or its store: the grant was spent unused, ' +
      'though its claim had asked for more time',
  })
}
