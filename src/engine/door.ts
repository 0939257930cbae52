/**
 * The way into the store: opened once, and closed in two steps, so that what was asked for before a
 * close is carried out though the store was not open yet, or a schema took its time.
 *
 *     open ── close ──▶ closing: who is inside goes on, nobody new comes in ── shut ──▶ nobody
 *
 * Promises: an open that failed is tried again by the next call; `empty` answers when whoever went
 * in has left. Only calls that change the store go in: what waits for others (a result, a job to
 * take) would keep a close waiting. How long a close waits is the engine's.
 */
import { storeClosed } from './outage.js'

export class Door {
  readonly #unlock: () => Promise<void>
  #opening: Promise<void> | null = null
  #unlocked = false
  #state: 'open' | 'closing' | 'shut' = 'open'
  /** Calls that went in and have not left. */
  #inside = 0
  readonly #whenEmpty: (() => void)[] = []

  constructor(unlock: () => Promise<void>) {
    this.#unlock = unlock
  }

  /** The store is open, and takes what those send who are inside. */
  get isOpen(): boolean {
    return this.#unlocked && this.#state !== 'shut'
  }

  /** Opens the store, once; when that failed, the next call tries again. */
  open(): Promise<void> {
    return this.#state === 'open' ? this.#open() : Promise.reject(storeClosed('millrace'))
  }

  /** The same, also while it closes, for those who are inside. */
  reach(): Promise<void> {
    const mayPass = this.#state === 'open' || (this.#state === 'closing' && this.#inside > 0)
    return mayPass ? this.#open() : Promise.reject(storeClosed('millrace'))
  }

  #open(): Promise<void> {
    this.#opening ??= this.#unlock().then(
      () => {
        this.#unlocked = true
      },
      (error: unknown) => {
        this.#opening = null
        throw error
      },
    )
    return this.#opening
  }

  /** A close waits for this call from now on, until it leaves. STORE_CLOSED. */
  enter(): void {
    if (this.#state !== 'open') throw storeClosed('millrace')
    this.#inside++
  }

  leave(): void {
    this.#inside--
    if (this.#inside > 0) return
    for (const resolve of this.#whenEmpty.splice(0)) resolve()
  }

  /** A whole call that goes in; it begins at once. */
  async through<T>(call: () => Promise<T>): Promise<T> {
    this.enter()
    try {
      return await call()
    } finally {
      this.leave()
    }
  }

  /** From now on nobody comes in. */
  close(): void {
    if (this.#state === 'open') this.#state = 'closing'
  }

  async empty(): Promise<void> {
    if (this.#inside > 0) await new Promise<void>((resolve) => this.#whenEmpty.push(resolve))
  }

  /** Nobody is waited for any more. Answers when no opening is under way: was it opened? */
  async shut(): Promise<boolean> {
    this.#state = 'shut'
    await this.#opening?.catch(() => undefined) // who asked for it has heard of its failure
    return this.#unlocked
  }
}
