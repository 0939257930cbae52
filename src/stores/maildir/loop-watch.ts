/** Measures whether the loop of this process turns, while somebody says so round after round. */
import type { Host } from '../../disk/host.js'
import type { Millis } from '../../job/job.js'

/** A loop that missed some rounds stood still. */
const STALL: Millis = 1_000

export class LoopWatch {
  readonly #host: Pick<Host, 'up'>
  /** Null: nobody goes rounds, and the loop is not measured. */
  #turnedAt: Millis | null = null
  #calmSince: Millis = -Infinity

  constructor(host: Pick<Host, 'up'>) {
    this.#host = host
  }

  /** It turns, and whoever writes is heard. */
  turn(): void {
    const now = this.#host.up()
    if (this.#turnedAt === null || now - this.#turnedAt > STALL) this.#calmSince = now
    this.#turnedAt = now
  }

  /**
   * For how long it has turned without standing still. Who stood still heard nobody, and is rarely
   * alone in it: a disk that keeps one waiting keeps all.
   */
  calm(): Millis {
    if (this.#turnedAt !== null) this.turn()
    return this.#host.up() - this.#calmSince
  }
}
