/**
 * A history of grants, and the question that every rate must answer: is there any window, wherever
 * it begins, that saw too many?
 */
import assert from 'node:assert/strict'
import type { Millis } from '../../job/job.js'

export class History {
  readonly #moments = new Map<string, Millis[]>()
  #size = 0

  /** All grants that were recorded, of whatever name. */
  get size(): number {
    return this.#size
  }

  granted(name: string, at: Millis): void {
    const moments = this.#moments.get(name) ?? []
    moments.push(at)
    this.#moments.set(name, moments)
    this.#size++
  }

  /** How many were granted in the fullest window of this length that holds its first moment only. */
  fullest(name: string, span: Millis): number {
    const moments = this.#moments.get(name) ?? []
    let most = 0
    let from = 0
    for (const [at, moment] of moments.entries()) {
      while (moments[from] + span <= moment) from++
      most = Math.max(most, at - from + 1)
    }
    return most
  }

  /** How many were granted in the window of this length that ends now. */
  within(name: string, span: Millis, now: Millis): number {
    const moments = this.#moments.get(name) ?? []
    let from = moments.length
    while (from > 0 && moments[from - 1] + span > now) from--
    return moments.length - from
  }

  /** Every window that begins at a grant: no other can hold more. */
  check(name: string, count: number, span: Millis): void {
    const most = this.fullest(name, span)
    assert.ok(most <= count, `${name}: ${most} in ${span} ms, of ${count}`)
  }
}
