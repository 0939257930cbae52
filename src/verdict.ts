/**
 * How a handler says what shall become of its job when plain return and throw do not say it: the
 * verdicts that `job` builds, to be returned, and the classes for deep code, to be thrown. Promises
 * that a verdict cannot be forged: only what was built here, for this very run, counts. What
 * verdicts do is left to the engine and the store.
 */
import type { Asked } from './engine/engine.js'
import { millraceError } from './job/errors.js'
import type { MillraceError } from './job/errors.js'
import { millis } from './time/duration.js'
import type { Duration } from './time/duration.js'

/** Never exported and never made: the type alone keeps others from writing a verdict by hand. */
declare const verdict: unique symbol

/**
 * How a run ends when not by return or throw. Built and not returned, it fails the attempt:
 * VERDICT_NOT_RETURNED.
 */
export interface Verdict {
  readonly [verdict]: 'complete' | 'retry' | 'snooze' | 'release' | 'cancel' | 'discard'
}

/** What a verdict asks for; `complete` carries a result that is still to be checked and encoded. */
export type Ruled =
  | Exclude<Asked, { readonly kind: 'complete' }>
  | { readonly kind: 'complete'; readonly value: unknown }

/** Builds the verdicts of one run and remembers whether they came back. */
export class Bench {
  /** What was built and not yet returned; most runs never build anything. */
  #built: Set<Ruling> | null = null

  build(ruled: Ruled): Verdict {
    const ruling = new Ruling(ruled)
    this.#built ??= new Set()
    this.#built.add(ruling)
    return ruling as unknown as Verdict // as: the symbol exists for the compiler alone
  }

  /**
   * What the handler's answer rules, or null when it is a plain result. Throws
   * VERDICT_NOT_RETURNED when a verdict was built and is not the answer, or is another run's.
   */
  read(answer: unknown): Ruled | null {
    const ruled = Ruling.read(answer)
    if (ruled === null) {
      if (this.#built !== null) throw notReturned('the verdict that it built', answer)
      return null
    }
    const mine = this.#built?.delete(answer as Ruling) ?? false // as: Ruling.read has seen that it is one
    if (!mine) throw notReturned('a verdict of this run', answer)
    if (this.#built !== null && this.#built.size > 0) {
      throw notReturned('every verdict that it built, so one at most', answer)
    }
    return ruled
  }
}

/** A verdict as it is inside. The private field is what makes it unforgeable. */
class Ruling {
  readonly #ruled: Ruled

  constructor(ruled: Ruled) {
    this.#ruled = ruled
  }

  static read(value: unknown): Ruled | null {
    return typeof value === 'object' && value !== null && #ruled in value ? value.#ruled : null
  }

  /** For logs and debuggers. */
  toString(): string {
    return `Verdict(${this.#ruled.kind})`
  }
}

function notReturned(expected: string, received: unknown): MillraceError {
  return millraceError({
    code: 'VERDICT_NOT_RETURNED',
    subject: 'handler',
    expected: `it to return ${expected}`,
    received: received instanceof Ruling ? received.toString() : received,
    remedy:
      'write `return job.snooze(…)`; in deep code throw new Snooze(…), Discard, Cancel or Release',
  })
}

/** Known to every copy of this package, so that what deep code throws is understood by all. */
const ASKS = Symbol.for('millrace.asks')

/** The job is given up: discarded, or moved to its dead-letter queue. */
export class Discard extends Error {
  constructor(reason: string) {
    super(reason)
    asks(this, 'Discard', discarding(reason))
  }
}

/** The job ends as cancelled. */
export class Cancel extends Error {
  constructor(reason?: string) {
    super(reason)
    asks(this, 'Cancel', { kind: 'cancel', reason: reason ?? null })
  }
}

/**
 * Again later, at a new place; the attempt is given back. On an at-most-once queue, where nothing
 * runs again, it is a failed attempt with OPTION_INVALID.
 */
export class Snooze extends Error {
  constructor(delay: Duration) {
    super(`again in ${delay}`)
    asks(this, 'Snooze', snoozing(delay))
  }
}

/** Again at once, at its old place; the attempt is given back. At-most-once: as with `Snooze`. */
export class Release extends Error {
  constructor() {
    super('given back')
    asks(this, 'Release', { kind: 'release' })
  }
}

function asks(error: Error, name: string, asked: Asked): void {
  Object.defineProperty(error, 'name', { value: name })
  Object.defineProperty(error, ASKS, { value: asked })
}

/** An error that asks for just this when it is thrown. */
export function asking(asked: Asked): Error {
  const error = new Error(asked.kind)
  asks(error, 'Asking', asked)
  return error
}

/** What a throw asks for: its own word when it is one of the four classes, else a failed attempt. */
export function askedByThrow(error: unknown): Asked {
  if (error instanceof Error && ASKS in error) return error[ASKS] as Asked // as: only `asks` writes it
  return { kind: 'fail', error }
}

export function snoozing(delay: Duration): Extract<Asked, { kind: 'snooze' }> {
  return { kind: 'snooze', delay: millis(delay, 'snooze delay') }
}

export function discarding(reason: string): Extract<Asked, { kind: 'discard' }> {
  return { kind: 'discard', reason: 'given-up', message: String(reason) }
}
