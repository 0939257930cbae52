/**
 * A lookout for neighbours that were killed: whoever claims or checks looks, at most once in
 * `LOOKOUT`, whether a node that holds jobs is provably dead. Costs one question of the medium for
 * each such node, and nothing while no other node holds anything. What follows is left to a sweep.
 */
import { LOOKOUT } from '../../job/defaults.js'
import type { Millis } from '../../job/job.js'
import type { Medium } from './medium.js'

export class Lookout {
  readonly #medium: Medium
  #lookedAt: Millis = -Infinity

  constructor(medium: Medium) {
    this.#medium = medium
  }

  /** Whether a sweep by this node would free what the dead hold; false when it just looked. */
  seesDead(self: string): boolean {
    const now = this.#medium.now()
    if (Math.abs(now - this.#lookedAt) < LOOKOUT) return false
    this.#lookedAt = now
    for (const [name, node] of this.#medium.book.ledger.nodes) {
      if (name === self || node.holds === 0) continue
      if (node.gone || this.#medium.liveness(node.card) === 'dead') return true
    }
    return false
  }
}
