/**
 * The memory store: the book alone. Survives nothing, reaches one process, costs nothing; it is for
 * tests and caches, and the model of every other store. Handles that share a `MemoryMedium` see the
 * same jobs, as processes do elsewhere.
 */
import { Book } from '../../job/book/book.js'
import type { Answers, FrameOf } from '../../job/book/book.js'
import type { Item } from '../../job/book/extra.js'
import type { Frame } from '../../job/book/frame.js'
import { papersIn } from '../../job/book/load-lines.js'
import type { Liveness } from '../../job/book/decide-sweep.js'
import type { Store, Traits } from '../../store.js'
import { systemClock } from '../../time/system.js'
import type { Clock } from '../../time/clock.js'
import { BookStore } from '../book/book-store.js'
import { Drawer } from '../book/drawer.js'
import type { Medium, News } from '../book/medium.js'

const TRAITS: Traits = {
  survives: 'nothing',
  reach: 'process',
  transactions: false,
  hints: true,
  beat: 'loop',
}

/** A store that keeps its jobs in this process's memory, and forgets them with it. */
export function memoryStore(
  options: { readonly clock?: Clock; readonly shared?: SharedMemory } = {},
): Store<'memory'> {
  const shared = options.shared ?? sharedMemory(options.clock)
  return new BookStore('memory', new MemoryMedium(shared))
}

/** One memory for several handles. */
export interface SharedMemory {
  readonly clock: Clock
  readonly scopes: Map<string, Room>
}

/** Makes a memory that several stores can be opened on. */
export function sharedMemory(clock: Clock = systemClock): SharedMemory {
  return { clock, scopes: new Map() }
}

interface Room {
  readonly book: Book
  readonly bell: Bell
}

/** Tells all handles what changed, after the call that changed it. */
class Bell {
  readonly watchers = new Set<(news: News) => void>()
  readonly #book: Book
  #rings = false

  constructor(book: Book) {
    this.#book = book
  }

  ring(): void {
    if (this.#rings || !this.#book.hasNews) return
    this.#rings = true
    queueMicrotask(() => {
      this.#rings = false
      const news = this.#book.takeNews()
      for (const watcher of this.watchers) watcher(news)
    })
  }
}

function emptyRoom(): Room {
  let tokens = 0
  const book = new Book(new Drawer(() => ++tokens))
  return { book, bell: new Bell(book) }
}

class MemoryMedium implements Medium {
  readonly traits = TRAITS
  readonly #shared: SharedMemory
  #room = emptyRoom()
  #onNews: (news: News) => void = () => undefined

  constructor(shared: SharedMemory) {
    this.#shared = shared
  }

  get book(): Book {
    return this.#room.book
  }

  async open(scope: string, onNews: (news: News) => void): Promise<void> {
    const { scopes, clock } = this.#shared
    const known = scopes.get(scope)
    this.#room = known ?? this.#room
    if (known === undefined) {
      scopes.set(scope, this.#room)
      this.book.apply({ kind: 'clock', wallOffset: offsetOf(clock) }, clock.mono(), [])
    }
    this.#onNews = onNews
    this.#room.bell.watchers.add(onNews)
  }

  async close(): Promise<void> {
    this.#room.bell.watchers.delete(this.#onNews)
  }

  now(): number {
    return this.#shared.clock.mono()
  }

  /** The wall's clock may be set: what waits for an instant of it moves along. */
  refresh(): void {
    const { clock } = this.#shared
    const wallOffset = offsetOf(clock)
    if (Math.abs(wallOffset - this.book.ledger.wallOffset) < CLOCK_SLACK) return
    this.book.apply({ kind: 'clock', wallOffset }, clock.mono(), [])
  }

  commit<K extends Frame['kind']>(frame: FrameOf[K] & { readonly kind: K }): Answers[K] {
    const answers = this.book.apply<K>(frame, this.now(), filed(frame))
    this.#room.bell.ring()
    return answers
  }

  async durable(): Promise<void> {
    return undefined
  }

  async tend(): Promise<void> {
    return undefined
  }

  /** All nodes are in this process, so whoever holds nothing is no concern. */
  calm(): number {
    return Infinity
  }

  liveness(): Liveness {
    return 'alive'
  }

  proof(): null {
    return null
  }

  beatRecipe(): null {
    return null
  }
}

/** The items that papers are made of; of a slot that is its job. */
function filed(frame: Frame): readonly (Item | undefined)[] {
  if (frame.kind === 'load') return papersIn(frame.items)
  if (frame.kind === 'tick') return frame.items.map(({ run }) => run?.job)
  return 'items' in frame ? (frame.items as readonly Item[]) : [] // only kinds with papers are filed
}

/** Whole, so that a whole instant of the wall is one of store time too. */
function offsetOf(clock: Clock): number {
  return Math.round(clock.wall() - clock.mono())
}

/** By how much wall and store time may part before jobs are moved. */
const CLOCK_SLACK = 1_000
