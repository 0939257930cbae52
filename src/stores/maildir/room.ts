/**
 * What all handles of one process on one folder and scope share: the keeper, and its life. It is
 * opened with the first handle and closed with the last.
 *
 *     open ──▶ living ──▶ closed
 *               │   ▲
 *     a fault ─▼   │ ── the folder was read anew
 *             reading
 *
 * It is over before it is closed when another process has followed, or when the folder is gone: then
 * nothing more is done in the place where it was.
 */
import type { Answers, Book } from '../../job/book/book.js'
import type { Frame } from '../../job/book/frame.js'
import type { Millis } from '../../job/job.js'
import { MillraceError } from '../../job/errors.js'
import { BEAT } from '../../job/defaults.js'
import type { Clock, Timer } from '../../time/clock.js'
import type { News } from '../book/medium.js'
import { isMissing } from '../../disk/errno.js'
import { deposed, named, reloading, unknown, wiped } from './faults.js'
import { Hands } from './hands.js'
import type { Takers } from './hands.js'
import { Keeper } from './keeper.js'
import type { KeeperParts } from './keeper.js'
import { establish } from './layout.js'
import { beginLife } from './beginning.js'
import { judgeMedium, kept } from './judging.js'
import type { Life, LifeParts } from './life.js'
import { LoopWatch } from './loop-watch.js'
import { Spare } from './spare.js'
import { Takeover } from './takeover.js'

export type RoomParts = Omit<
  LifeParts,
  'generation' | 'fence' | 'isDoubtful' | 'onFailure' | 'keeps' | 'onQueue' | 'mustFence' | 'spare'
> &
  Omit<KeeperParts, keyof LifeParts> & {
    /** Null: nobody waits for this one to fall silent. */
    readonly clock: Clock | null
    readonly newId: () => string
    /** The folder was taken away: whoever opens it from now on has another room. */
    readonly onGone: () => void
  }

/** A folder that could not be read anew is read again for whoever calls so much later. */
const AGAIN_AFTER: Millis = 1_000

export class Room {
  readonly #parts: RoomParts
  readonly #keeper: Keeper
  readonly #spare: Spare
  readonly #hands: Hands
  readonly #loop: LoopWatch
  #takeover: Takeover | null = null
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
  /** The folder was removed, moved away or replaced; null: it is there, as far as it was looked. */
  #gone: Error | null = null
  /** Handles that have it open. */
  handles = 0

  private constructor(parts: RoomParts, keeper: Keeper, spare: Spare) {
    this.#parts = parts
    this.#spare = spare
    this.#keeper = keeper
    this.#lastBeat = parts.host.up()
    this.#loop = new LoopWatch(parts.host)
    const { disk, layout, clock, warn, host } = parts
    const takers = this.#takers()
    this.#hands = new Hands({ disk, layout, clock, warn, takers, wall: () => host.wall() })
  }

  /** None, while nobody could take anything. */
  #takers(): Takers {
    const take = (how: (takeover: Takeover) => readonly string[], else_: readonly string[]) => {
      if (this.#takeover === null || !this.#isFirst()) return else_
      const later = how(this.#takeover)
      this.#ring()
      return later
    }
    return {
      isOwn: (path) => this.#takeover?.isOwn(path) === true,
      known: () => this.#takeover?.known() ?? [],
      mail: (paths) => take((takeover) => takeover.mail(paths), paths),
      letters: (paths) => take((takeover) => takeover.letters(paths), []),
    }
  }

  /** Looks, whatever it believed: files of others are at stake. */
  #isFirst(): boolean {
    if (this.isOver) return false
    const standing = this.#keeper.standing()
    if (standing === 'followed') this.#depose()
    if (standing === 'gone') this.#lose()
    return standing === 'first'
  }

  /** Nothing is decided here any more. */
  get isOver(): boolean {
    return this.isDeposed || this.#gone !== null
  }

  get isGone(): boolean {
    return this.#gone !== null
  }

  /** What failed may have failed since the folder is gone: then that is the reason. */
  reasonOf(error: unknown): unknown {
    if (isMissing(error)) this.#isFirst()
    return this.#gone ?? error
  }

  /** Said every round of who looks at the post. */
  turn(): void {
    this.#loop.turn()
  }

  calm(): Millis {
    return this.#loop.calm()
  }

  /** What others did in the folders is taken now: before whoever asks for something is answered. */
  attend(isThorough: boolean): void {
    if (this.#life === null) return
    if (isThorough) this.#hands.goRound()
    else this.#hands.flush()
  }

  static async open(parts: RoomParts): Promise<Room> {
    const { disk, layout, nonce, porter } = parts
    try {
      await establish(disk, layout, nonce)
      const note = judgeMedium(parts)
      const spare = new Spare(disk, layout, nonce)
      const keeper = await spare.withinTurns(() => Keeper.take(parts))
      if (!(keeper instanceof Keeper)) throw kept(layout.scope, keeper)
      const room = new Room(parts, keeper, spare)
      try {
        spare.keep()
        room.#live(await room.#begin(false))
        room.#beat()
      } catch (error) {
        keeper.leave()
        throw error
      }
      if (note !== null) parts.warn(note)
      return room
    } catch (error) {
      await porter.close()
      throw named(layout.scope, error)
    }
  }

  async #begin(isDoubtful: boolean): Promise<Life> {
    const { generation, fence } = this.#keeper.card
    const onFailure = (life: Life): void => this.#readAnew(life)
    const mustFence = this.#keeper.mustFence && !this.#isFenced
    const onQueue = (folder: string): void => this.#hands.made(folder)
    const keeps = (): boolean => this.#isFirst()
    // What the life before had under way ends before the folder is read.
    await this.#parts.porter.rest()
    const life = await beginLife({
      ...{ ...this.#parts, generation, fence, isDoubtful, onFailure, keeps, onQueue, mustFence },
      spare: this.#spare,
    })
    if (mustFence) this.#keeper.fence()
    this.#isFenced = true
    return life
  }

  #live(life: Life): void {
    this.#life = life
    this.#toldOf = null
    this.#takeover = new Takeover(life, this.#parts)
    this.#takeover.mail(life.mail)
    this.#hands.goRound()
    life.book.takeNews()
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
    const life = this.#living()
    try {
      const answers = life.commit(frame)
      this.#ring()
      return answers
    } catch (error) {
      throw this.reasonOf(error)
    }
  }

  async durable(): Promise<void> {
    try {
      await this.#living().durable()
    } catch (error) {
      if (!MillraceError.is(error, 'STORE_WIPED')) throw this.reasonOf(error)
      // Who follows removes the log of before: what stood there may have come too late for him.
      const { scope, commit } = this.#parts.layout
      if (this.isDeposed) throw unknown(commit, deposed(scope))
      if (!this.isOver) this.#lose()
      throw error
    }
  }

  /** Between sweeps: what the log holds goes where it belongs. */
  async tend(): Promise<void> {
    try {
      if (this.#isFirst()) this.#spare.keep()
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
      if (!this.#isFirst()) return
      this.#spare.within(() => this.#keeper.beat())
      this.#hands.doubt(this.#life?.forgetOwn() ?? [])
    } catch (error) {
      this.#parts.warn(`the keeper could not say that it lives: ${String(error)}`)
    }
  }

  #depose(): void {
    this.isDeposed = true
    this.#trouble = deposed(this.#parts.layout.scope)
    this.#end()
  }

  #lose(): void {
    const { layout, warn, onGone } = this.#parts
    this.#gone = wiped(layout.root)
    this.#end()
    onGone()
    warn(this.#gone.message)
  }

  #end(): void {
    this.#timer?.cancel()
    this.#life?.letGo()
    this.#life = null
    this.#takeover = null
    this.#hands.close()
  }

  async close(): Promise<void> {
    this.#timer?.cancel()
    const { porter } = this.#parts
    if (!this.#isFirst()) {
      await porter.close()
      this.#keeper.letGo()
      if (this.#gone !== null) throw this.#gone
      return
    }
    this.#hands.close()
    await this.#loading
    const life = this.#life
    this.#life = null
    try {
      await life?.close()
    } finally {
      await porter.close()
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
    if (host.up() - this.#lastBeat > lease / 2 && !this.isOver) this.#beat()
    return !this.isOver
  }

  #living(): Life {
    this.keeps()
    if (this.#life !== null) return this.#life
    if (!this.isOver && this.#parts.host.up() - this.#triedAt > AGAIN_AFTER) this.#load()
    if (this.#gone !== null) throw this.#gone
    throw reloading(this.#parts.layout.scope, this.#trouble)
  }

  /** What the disk kept of the life that failed is read again, by one that trusts nothing of it. */
  #readAnew(life: Life): void {
    if (this.#life !== life || this.#loading !== null) return
    this.#trouble = life.failure
    this.#life = null
    this.#takeover = null
    life.letGo()
    if (MillraceError.is(life.failure, 'STORE_WIPED')) this.#lose()
    else this.#load()
  }

  #triedAt: Millis = -Infinity
  /** Why it could not be read, as it was told last; told once, however often it is tried. */
  #toldOf: string | null = null

  #load(): void {
    if (this.#loading !== null) return
    this.#triedAt = this.#parts.host.up()
    const begin = async (): Promise<void> => {
      if (this.#isFirst()) this.#live(await this.#begin(true))
    }
    this.#loading = begin()
      .catch((error: unknown) => {
        this.#trouble = error instanceof Error ? error : new Error(String(error))
        const why = String(this.reasonOf(error))
        if (why !== this.#toldOf) this.#parts.warn(`the folder could not be read anew: ${why}`)
        this.#toldOf = why
      })
      .finally(() => (this.#loading = null))
  }
}
