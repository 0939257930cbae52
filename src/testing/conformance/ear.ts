/**
 * Listening for hints as the laws do: a hint may be late where it comes from another process, so an
 * ear waits for it, by real time, and says what it missed.
 */
import type { Hint } from '../../store.js'
import type { Store } from '../../store.js'
import { systemClock } from '../../time/system.js'
import type { Rig } from './rig.js'

/** How long a hint may take on its way, in milliseconds of real time. */
const PATIENCE = 5_000

/** Listens on a handle [the first]. */
export class Ear {
  readonly hints: Hint[] = []
  readonly stop: () => void
  readonly #rig: Rig
  #woken = (): void => undefined

  constructor(rig: Rig, store: Store = rig.store) {
    this.#rig = rig
    this.stop = store.watch((hint) => {
      this.hints.push(hint)
      this.#woken()
    })
  }

  /** Until a hint of this kind came, for this queue or for any. */
  hears(what: Hint['what'], queue: string): Promise<void> {
    const isIt = (hint: Hint): boolean => hint.what === what && (hint.queue ?? queue) === queue
    const heard = new Promise<void>((resolve, reject) => {
      const silence = new Error(`no hint of ${what} in ${queue} within ${PATIENCE} ms`)
      const timer = systemClock.after(PATIENCE, () => reject(silence))
      this.#woken = () => {
        if (!this.hints.some(isIt)) return
        timer.cancel()
        resolve()
      }
      this.#woken()
    })
    this.#rig.hint()
    return heard
  }
}
