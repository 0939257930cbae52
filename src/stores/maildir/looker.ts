/**
 * Looks at a folder without its keeper, by one who cannot write to it, or should not, or whom the
 * keeper does not answer: each is answered by a book that was read for it, or a moment ago. What
 * would change something is refused.
 */
import type { Book } from '../../job/book/book.js'
import type { Card } from '../../job/book/frame.js'
import type { Liveness } from '../../job/book/decide-sweep.js'
import type { Millis } from '../../job/job.js'
import type { Host } from '../../disk/host.js'
import type { Store, Traits } from '../../store.js'
import { BookStore } from '../book/book-store.js'
import type { Medium } from '../book/medium.js'
import { named, mayNotWrite } from './faults.js'
import { glimpse } from './glimpse.js'
import type { Glimpse, GlimpseParts } from './glimpse.js'

/** The verbs that only show what there is. */
export type Look = (typeof SHOWS)[number]

const SHOWS = [
  ...(['get', 'parents', 'list', 'count', 'explain', 'explainQueue', 'groups', 'queues'] as const),
  ...(['nodes', 'settings', 'schedules', 'dump'] as const),
] as const

type Shows = Readonly<Record<Look, (...words: readonly unknown[]) => Promise<unknown>>>

export function isLook(verb: keyof Store): verb is Look {
  return (SHOWS as readonly string[]).includes(verb)
}

/** A picture is looked at for so long, and for so many times what it took to make. */
const FRESH: Millis = 1_000
const FRESH_TIMES = 10

export class Looker {
  readonly #parts: GlimpseParts
  readonly #traits: Traits
  #picture: { readonly store: Store; readonly until: Millis } | null = null
  #reading: Promise<Store> | null = null

  constructor(parts: GlimpseParts, traits: Traits) {
    this.#parts = parts
    this.#traits = traits
  }

  async look(verb: Look, words: readonly unknown[]): Promise<unknown> {
    const { host } = this.#parts
    const picture = this.#picture
    const store = picture !== null && host.up() < picture.until ? picture.store : await this.#read()
    const shows = store as unknown as Shows // as: it is one of them, with its own words
    return await shows[verb](...words)
  }

  /** Whoever comes meanwhile looks at the same. */
  #read(): Promise<Store> {
    this.#reading ??= this.#readNow().finally(() => (this.#reading = null))
    return this.#reading
  }

  async #readNow(): Promise<Store> {
    const { host, layout } = this.#parts
    const began = host.up()
    try {
      const seen = await glimpse(this.#parts)
      const store = new BookStore('maildir', new Picture(seen, this.#parts, this.#traits))
      await store.open({ scope: layout.scope })
      const ended = host.up()
      this.#picture = { store, until: ended + Math.max(FRESH, FRESH_TIMES * (ended - began)) }
      return store
    } catch (error) {
      throw named(layout.scope, error)
    }
  }
}

/** A book that nobody goes on with. */
class Picture implements Medium {
  readonly traits: Traits
  readonly #seen: Glimpse
  readonly #host: Host
  readonly #subject: string

  constructor(seen: Glimpse, { host, layout }: GlimpseParts, traits: Traits) {
    this.traits = traits
    this.#seen = seen
    this.#host = host
    this.#subject = layout.scope
  }

  get book(): Book {
    return this.#seen.book
  }

  async open(): Promise<void> {}

  async close(): Promise<void> {}

  now(): Millis {
    return this.#host.up() + this.#seen.base
  }

  refresh(): void {}

  commit(): never {
    throw mayNotWrite(this.#subject)
  }

  async durable(): Promise<void> {}

  async tend(): Promise<void> {}

  calm(): Millis {
    return Infinity
  }

  liveness(card: Card): Liveness {
    return this.#host.liveness(card.proof)
  }

  proof(): string | null {
    return this.#host.proof
  }

  beatRecipe(): null {
    return null
  }
}
