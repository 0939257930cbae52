/**
 * Who this node is to the store: its id and the card with its workers. Promises: the card is with
 * the store before a worker's first claim, and again soon after it changed; a node that was swept
 * goes on under a new id, never the old one. Who the workers are is theirs to say.
 */
import { hostname } from 'node:os'
import { MillraceError } from '../job/errors.js'
import type { Millis } from '../job/job.js'
import type { NodeCard, Store, WorkerCard } from '../store.js'
import { sleep } from '../time/clock.js'
import type { Chance, Clock } from '../time/clock.js'
import { repeatAfter } from './outage.js'
import type { Outage } from './outage.js'

export interface Member {
  readonly card: WorkerCard
  /** The store knows it. */
  enlisted(): void
  /** The store could not be told of it; that is tried again. */
  unreached?(error: unknown): void
}

export interface RosterOptions {
  readonly store: Store
  readonly clock: Clock
  readonly chance: Chance
  readonly outage: Outage
  readonly lease: Millis
  readonly newId: () => string
  /** Opens the store, or finds it open. */
  readonly ready: () => Promise<void>
}

export class Roster {
  readonly #options: RosterOptions
  readonly #members = new Set<Member>()
  readonly #closing = new AbortController()
  #node: string
  #known = false
  #dirty = false
  #publishing: Promise<void> | null = null

  constructor(options: RosterOptions) {
    this.#options = options
    this.#node = options.newId()
  }

  get node(): string {
    return this.#node
  }

  /** Whether the store was told of this id. */
  get known(): boolean {
    return this.#known
  }

  get members(): ReadonlySet<Member> {
    return this.#members
  }

  add(member: Member): void {
    this.#members.add(member)
    this.changed()
  }

  remove(member: Member): void {
    if (this.#members.delete(member)) this.changed()
  }

  /** Some card differs from what the store has. */
  changed(): void {
    this.#dirty = true
    if (this.#closing.signal.aborted) return
    this.#publishing ??= this.#publish().finally(() => {
      this.#publishing = null
    })
  }

  /** The node was swept; answers the id that is gone. */
  renew(): string {
    const gone = this.#node
    this.#node = this.#options.newId()
    this.#known = false
    this.changed()
    return gone
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#publishing
  }

  /** Never rejects: what fails is told and repeated until it is done or closed. */
  async #publish(): Promise<void> {
    const { clock, chance, outage, ready, store } = this.#options
    const { signal } = this.#closing
    for (let failures = 0; this.#dirty && !signal.aborted;) {
      await new Promise<void>((resolve) => clock.soon(resolve))
      const [node, members] = [this.#node, [...this.#members]]
      this.#dirty = false
      try {
        await ready()
        await store.enlist(this.#card(node, members))
        failures = 0
        outage.answered()
        if (node === this.#node) this.#known = true
        for (const member of members) if (this.#members.has(member)) member.enlisted()
      } catch (error) {
        this.#dirty = true
        for (const member of members) member.unreached?.(error)
        if (MillraceError.is(error, 'STORE_CLOSED')) return
        failures++
        const pause = repeatAfter(failures, chance)
        outage.failed(error, pause)
        await sleep(clock, pause, signal).catch(() => undefined) // it only rejects when we close: the loop looks
      }
    }
  }

  #card(node: string, members: readonly Member[]): NodeCard {
    const workers = members.map((member) => member.card)
    return { node, host: hostname(), pid: process.pid, lease: this.#options.lease, workers }
  }
}
