/**
 * A lookout for neighbours that were killed: whoever claims looks, at most once in `LOOKOUT`,
 * whether a node of its host is provably dead. Costs one read; what follows is left to a sweep.
 */
import { LOOKOUT } from '../../job/defaults.js'
import type { Clock } from '../../time/clock.js'

export interface LookoutParts {
  readonly clock: Pick<Clock, 'mono'>
  /** Whether there is one, as far as that node can tell. */
  readonly look: (self: string) => Promise<boolean>
  /** Called when there is. */
  readonly found: () => void
}

export class Lookout {
  readonly #parts: LookoutParts
  #lookedAt = -Infinity

  constructor(parts: LookoutParts) {
    this.#parts = parts
  }

  glance(self: string): void {
    const { clock, look, found } = this.#parts
    const now = clock.mono()
    if (now - this.#lookedAt < LOOKOUT) return
    this.#lookedAt = now
    const told = (isSeen: boolean): void => {
      if (isSeen) found()
    }
    // A store that does not answer is told by whoever asked it for something.
    void look(self).then(told, () => undefined)
  }
}
