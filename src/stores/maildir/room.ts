/**
 * What all handles of one process on one folder and scope share: the keeper, and its life. It is
 * opened with the first handle and closed with the last.
 *
 *     open ──▶ living ──▶ closed
 *               │   ▲
 *     a fault ─▼   │ ── the folder was read anew
 *             reading
 */
import type { Answers, Book } from '../../job/book/book.js'
import type { Frame } from '../../job/book/frame.js'
import type { Millis } from '../../job/job.js'
import { millraceError } from '../../job/errors.js'
import { BEAT } from '../../job/defaults.js'
import type { Clock, Timer } from '../../time/clock.js'
import type { News } from '../book/medium.js'
import { deposed, named, reloading } from './faults.js'
import { Keeper } from './keeper.js'
import type { KeeperCard, KeeperParts } from './keeper.js'
import { establish } from './layout.js'
import { Life } from './life.js'
import type { LifeParts } from './life.js'

export type RoomParts = Omit<
  LifeParts,
  'generation' | 'fence' | 'isDoubtful' | 'onFailure' | 'mustFence'
> &
  Omit<KeeperParts, keyof LifeParts> & {
    /** Null: nobody waits for this one to fall silent. */
    readonly clock: Clock | null
  }

export class Room {
  readonly #parts: RoomParts
  readonly #keeper: Keeper
  #life: Life | null = null
  #loading: Promise<void> | null = null
  #trouble: Error | null = null
  readonly #listeners = new Set<(news: News) => void>()
  #rings = false
  #isFenced = false
  #lastBeat: Millis
  #timer: Timer | null = null
  /** Another process has followed: nothing is answered here any more. */
  isDeposed = false
  /** Handles that have it open. */
  handles = 0

  private constructor(parts: RoomParts, keeper: Keeper) {
    this.#parts = parts
    this.#keeper = keeper
    this.#lastBeat = parts.host.up()
  }

  static async open(parts: RoomParts): Promise<Room> {
    const { disk, layout, nonce } = parts
    try {
      await establish(disk, layout, nonce)
      const keeper = await Keeper.take(parts)
      if (!(keeper instanceof Keeper)) throw kept(layout.scope, keeper)
      const room = new Room(parts, keeper)
      try {
        room.#life = await room.#begin(false)
        room.#beat()
      } catch (error) {
        keeper.leave()
        throw error
      }
      return room
    } catch (error) {
      throw named(layout.scope, error)
    }
  }

  async #begin(isDoubtful: boolean): Promise<Life> {
    const { generation, fence } = this.#keeper.card
    const onFailure = (life: Life): void => this.#readAnew(life)
    const mustFence = this.#keeper.mustFence && !this.#isFenced
    const life = await Life.begin({
      ...{ ...this.#parts, generation, fence, isDoubtful, onFailure, mustFence },
    })
    if (mustFence) this.#keeper.fence()
    this.#isFenced = true
    return life
  }

  get book(): Book {
    return this.#living().book
  }

  now(): Millis {
    return this.#living().now()
  }

  listen(onNews: (news: News) => void): () => void {
    this.#listeners.add(onNews)
    return () => this.#listeners.delete(onNews)
  }

  refresh(): void {
    this.#living().followWall()
    this.#ring()
  }

  commit(frame: Frame): Answers[Frame['kind']] {
    const answers = this.#living().commit(frame)
    this.#ring()
    return answers
  }

  async durable(): Promise<void> {
    await this.#living().durable()
  }

  /** Between sweeps: what the log holds goes where it belongs. */
  async tend(): Promise<void> {
    try {
      await this.#life?.clear()
    } catch (error) {
      // Nobody waits for this; the next sweep tries again.
      this.#parts.warn(`the commit log could not be cleared: ${String(error)}`)
    }
  }

  /** Says that it lives, for as long as the loop turns; one that stood still looks whether it was followed. */
  #beat(): void {
    this.#timer?.cancel()
    this.#timer = this.#parts.clock?.after(BEAT, () => this.#beat(), { ref: false }) ?? null
    this.#lastBeat = this.#parts.host.up()
    try {
      if (this.#keeper.isFirst) this.#keeper.beat()
      else this.#depose()
    } catch (error) {
      this.#parts.warn(`the keeper could not say that it lives: ${String(error)}`)
    }
  }

  #depose(): void {
    this.#timer?.cancel()
    this.isDeposed = true
    this.#trouble = deposed(this.#parts.layout.scope)
    this.#life?.letGo()
    this.#life = null
  }

  async close(): Promise<void> {
    this.#timer?.cancel()
    if (this.isDeposed) return this.#keeper.letGo()
    await this.#loading
    const life = this.#life
    this.#life = null
    try {
      await life?.close()
    } finally {
      this.#keeper.leave()
    }
  }

  /** Told after the call that brought it. */
  #ring(): void {
    const book = this.#life?.book
    if (this.#rings || book === undefined || !book.hasNews) return
    this.#rings = true
    queueMicrotask(() => {
      this.#rings = false
      const news = book.takeNews()
      for (const listener of this.#listeners) listener(news)
    })
  }

  /** It may have been stopped for longer than others wait: then it looks whether it was followed. */
  keeps(): boolean {
    const { host, lease } = this.#parts
    if (host.up() - this.#lastBeat > lease / 2 && !this.isDeposed) this.#beat()
    return !this.isDeposed
  }

  #living(): Life {
    this.keeps()
    if (this.#life !== null) return this.#life
    throw reloading(this.#parts.layout.scope, this.#trouble)
  }

  /** What the disk kept of the life that failed is read again, by one that trusts nothing of it. */
  #readAnew(life: Life): void {
    if (this.#life !== life || this.#loading !== null) return
    this.#trouble = life.failure
    this.#life = null
    const begin = async (): Promise<void> => {
      life.letGo()
      this.#life = await this.#begin(true)
    }
    this.#loading = begin()
      .catch((error: unknown) => {
        this.#trouble = error instanceof Error ? error : new Error(String(error))
        this.#parts.warn(`the folder could not be read anew: ${String(error)}`)
      })
      .finally(() => (this.#loading = null))
  }
}

function kept(scope: string, { host, pid }: KeeperCard): Error {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject: scope,
    expected: 'to become its keeper',
    received: `another process that keeps it: pid ${pid} on ${host}`,
    remedy: 'one process at a time keeps a maildir; stop that one, or wait for its end',
  })
}
