/**
 * All who take jobs in this node: its workers, and its takers, one per queue. Promises: whoever is
 * woken by a hint looks again; a worker that has not stopped keeps the process alive, by one timer;
 * what is paused here (`rest.ts`) takes nothing, and gives back what it had fetched. What each of
 * them does is its own.
 */
import { ALIVE_TICK } from '../job/defaults.js'
import type { Millis } from '../job/job.js'
import type { Clock, Timer } from '../time/clock.js'
import type { Working } from './lifecycle.js'
import { Rest } from './rest.js'
import type { Taker } from './take.js'

export class Staff {
  /** What is paused in this process alone. */
  readonly rest: Rest
  readonly #clock: Clock
  readonly #workers = new Set<Working>()
  readonly #takers = new Map<string, Taker>()
  readonly #whenStill: (() => void)[] = []
  #alive: Timer | null = null

  constructor(clock: Clock) {
    this.#clock = clock
    this.rest = new Rest(clock)
  }

  get workers(): ReadonlySet<Working> {
    return this.#workers
  }

  /** Somebody may claim. */
  get isActive(): boolean {
    return this.#workers.size > 0 || [...this.#takers.values()].some((taker) => taker.active)
  }

  add(worker: Working): void {
    this.#workers.add(worker)
    this.#keepAlive()
  }

  remove(worker: Working): void {
    this.#workers.delete(worker)
    if (this.#workers.size === 0) this.letGo()
  }

  /** The queue's taker, made when it is not there. */
  taker(queue: string, make: () => Taker): Taker {
    const known = this.#takers.get(queue)
    if (known !== undefined) return known
    const taker = make()
    this.#takers.set(queue, taker)
    return taker
  }

  /** Something may be runnable; null: in any queue. */
  look(queue: string | null): void {
    for (const worker of this.#workers) if (isOf(queue, worker)) worker.look()
    for (const taker of this.#takers.values()) if (isOf(queue, taker)) taker.look()
  }

  /** What was fetched ahead goes back, and is claimed anew under what holds now. */
  makeRoom(queue: string | null): void {
    for (const worker of this.#workers) if (isOf(queue, worker)) worker.makeRoom()
  }

  async stop(timeout: Millis): Promise<void> {
    const takers = [...this.#takers.values()].map((taker) => taker.close())
    const workers = [...this.#workers].map((worker) => worker.stop({ timeout }))
    await Promise.all([...takers, ...workers])
  }

  /** The process may end. */
  letGo(): void {
    this.#alive?.cancel()
    this.#alive = null
  }

  /** Answers when nobody has anything to do, or `over` says that it is enough. */
  async still(over: () => boolean): Promise<void> {
    while (!over() && [...this.#workers].some((worker) => !worker.isIdle)) {
      await new Promise<void>((resolve) => this.#whenStill.push(resolve))
    }
  }

  /** Somebody may have nothing to do any more. */
  rested(): void {
    for (const resolve of this.#whenStill.splice(0)) resolve()
  }

  #keepAlive(): void {
    this.#alive ??= this.#clock.after(ALIVE_TICK, () => {
      this.#alive = null
      if (this.#workers.size > 0) this.#keepAlive()
    })
  }
}

function isOf(queue: string | null, one: { readonly queue: string }): boolean {
  return queue === null || one.queue === queue
}
