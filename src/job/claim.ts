/**
 * What a worker asks for and what it is given. A claim is atomic: each job in it is held by one
 * token, its attempt already counted, so that a crash counts.
 */
import type { Encoded } from './codec.js'
import type { Attempt, JobRef, Millis, Origin, Step } from './job.js'
import type { Settings } from './settings.js'

/** Opaque proof of holding one attempt. Of two tokens of one job the later is the greater. */
export type TokenText = string

export interface ClaimAsk {
  readonly queue: string
  readonly worker: string
  /** The number of this call: grows with every call of one node, over all its queues. */
  readonly claim: number
  /** The tasks that the asker knows; null: any. */
  readonly tasks: readonly string[] | null
  /** At most so many; 0 asks only when the next is due. */
  readonly limit: number
  /**
   * The asker runs nothing else and will take nothing else until this is settled: it may be given
   * a job that was in two crashes, and is then given only that one.
   */
  readonly alone: boolean
  /** Groups that are paused here, and only here: nothing of them [none]. */
  readonly without?: readonly string[]
  /**
   * So much later than the start allowance of a rate may a job of this claim be started: its grant
   * counts from then [0].
   */
  readonly margin?: Millis
}

export interface ClaimAnswer {
  readonly jobs: readonly Claimed[]
  /** When the next job that the asker could run is due; 0: now; null: none is known. */
  readonly nextIn: Millis | null
  /** Nothing may be claimed beyond the free slots: a cap, a rate, blocking order, at-most-once. */
  readonly frugal: boolean
  /**
   * A job that was in two crashes is due, and waits for an asker that is alone: a busy node then
   * lets its work run dry for it. Left out: none is known.
   */
  readonly aloneDue?: boolean
  /** The queue's settings in force, for retry, timeout and limits. */
  readonly settings: Settings
}

export interface Claimed extends JobRef {
  readonly token: TokenText
  readonly task: string
  readonly payload: Encoded
  readonly attempt: number
  readonly round: number
  readonly maxAttempts: number
  readonly priority: number
  readonly group: string
  readonly tags: readonly string[]
  readonly meta: Encoded | null
  readonly history: readonly Attempt[]
  readonly origin: Origin | null
  /** The job's own, else the queue's; Infinity: none. */
  readonly timeout: Millis
  /** Since it was due. */
  readonly waited: Millis
  /** Attempts of it that ended with the loss of their worker, in a row. */
  readonly crashes: number
  /** What earlier attempts did, oldest first. Left out: nothing. */
  readonly steps?: readonly Step[]
}
