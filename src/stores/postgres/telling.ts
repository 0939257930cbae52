/**
 * Hints on their way to other processes, behind the commit that they are about; this one hears them at
 * once. Nobody waits for them, and they may be lost, so their own transaction does not wait for the
 * disk. While some are on their way the next gather, each thing said once: however many commits there
 * are, one connection at most tells of them.
 */
import type { Hint } from '../../store.js'
import type { Pool } from './client.js'
import { asking } from './asking.js'
import { payloadOf } from './listen.js'
import type { Patience } from './patience.js'

export interface TellerParts {
  readonly pool: Pool
  readonly channel: string
  /** Who tells: its own listener has heard it before. */
  readonly from: string
  readonly hear: (hints: readonly Hint[]) => void
  readonly patience: Patience
}

/** What `pg_notify` takes. */
export interface Notice {
  readonly channel: string
  readonly payload: string
}

export class Teller {
  readonly #parts: TellerParts
  readonly #gathered = new Map<string, Hint>()
  #telling: Promise<void> | null = null

  constructor(parts: TellerParts) {
    this.#parts = parts
  }

  /** As it is told within a transaction. */
  notice(hints: readonly Hint[]): Notice {
    const { channel, from } = this.#parts
    return { channel, payload: payloadOf(hints, from) }
  }

  /** `areOthersTold`: by a notice of the transaction itself. */
  tell(hints: readonly Hint[], areOthersTold = false): void {
    if (hints.length === 0) return
    queueMicrotask(() => this.#parts.hear(hints))
    if (areOthersTold) return
    for (const hint of hints) this.#gathered.set(JSON.stringify([hint.what, hint.queue]), hint)
    this.#telling ??= this.#tellAll().finally(() => {
      this.#telling = null
    })
  }

  /** What was to be told is told, or lost. */
  async idle(): Promise<void> {
    await this.#telling
  }

  async #tellAll(): Promise<void> {
    const { pool, patience } = this.#parts
    while (this.#gathered.size > 0) {
      const { channel, payload } = this.notice([...this.#gathered.values()])
      const values = [channel, payload]
      this.#gathered.clear()
      const text = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)"
      const told = asking(pool, (client) =>
        client.query({ text, values, query_timeout: patience.answers }),
      )
      await Promise.allSettled([told]) // a hint may be lost; who claims next tells of the trouble
    }
  }
}
