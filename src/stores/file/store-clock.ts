/**
 * Store time: the host's time since it was started, suspended time included, and a base that the
 * first process after a start of the host writes down in a `boot` frame. So leases and delays do not
 * care who sets the wall's clock. Jobs that wait for an instant of the wall follow it by `clock`
 * frames. Here it is told which frames are due and what they mean; writing them is left to others.
 */
import type { Ledger } from '../../job/book/ledger.js'
import type { Millis } from '../../job/job.js'
import type { Host } from '../../disk/host.js'

/** How far wall and store time may part before jobs that wait for the wall are moved. */
const CLOCK_SLACK = 1_000

/** The host's clock counts from this start of it; store time is that and the base. */
export interface Anchor {
  readonly boot: string
  readonly base: number
}

export class StoreClock {
  readonly #host: Host
  readonly #ledger: Ledger
  #anchor: Anchor = { boot: '', base: 0 }

  constructor(host: Host, ledger: Ledger) {
    this.#host = host
    this.#ledger = ledger
  }

  get anchor(): Anchor {
    return this.#anchor
  }

  /** As a snapshot says. */
  begin({ boot, base }: Anchor): void {
    this.#anchor = { boot, base }
  }

  now(): Millis {
    return this.#host.up() + this.#anchor.base
  }

  /** What the first process after a start of the host has to say, and when; null: it was said. */
  boot(): { readonly guards: string; readonly time: () => Millis } | null {
    const host = this.#host
    if (this.#anchor.boot === host.boot) return null
    const base = Math.max(host.wall(), this.#ledger.now) - host.up()
    return { guards: JSON.stringify({ boot: host.boot, base }), time: () => host.up() + base }
  }

  /** A `boot` frame landed; of several that say the same start the first counts. */
  take(guards: string, time: Millis): void {
    const said = JSON.parse(guards) as Anchor // as `boot` wrote it
    if (said.boot === this.#anchor.boot) return
    this.#anchor = said
    if (time > this.#ledger.now) this.#ledger.now = time
  }

  /** By how much wall and store time differ now, if that has to be said; else null. */
  newWallOffset(): Millis | null {
    const offset = Math.round(this.#host.wall() - this.now())
    return Math.abs(offset - this.#ledger.wallOffset) <= CLOCK_SLACK ? null : offset
  }
}
