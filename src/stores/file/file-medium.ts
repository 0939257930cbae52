/**
 * The file store's medium: the book kept as a shared log. A frame is committed by appending it,
 * reading back that it stands, and folding everything up to it; it is durable when a sync that began
 * later has ended. Any number of processes do this side by side, without lock, leader or daemon.
 *
 *     open ──▶ living ──▶ closed
 *               │   ▲
 *       behind ─▼   │ ── loaded anew (it slept while what it needed was compacted away)
 *             loading
 *
 * Here it opens, closes and tells; one opened state, with its book and its time, is a `Life`.
 */
import { Book } from '../../job/book/book.js'
import type { Answers, FrameOf } from '../../job/book/book.js'
import type { Card, Frame } from '../../job/book/frame.js'
import type { Liveness } from '../../job/book/decide-sweep.js'
import { MillraceError, millraceError } from '../../job/errors.js'
import type { Millis } from '../../job/job.js'
import type { BeatRecipe, Traits } from '../../store.js'
import type { Medium, News } from '../book/medium.js'
import type { BeatData } from './file-beat.js'
import { DropBox } from './drop-box.js'
import { isFull, isMissing } from '../../disk/errno.js'
import { full, Reserve } from '../../disk/reserve.js'
import { idOf } from '../../disk/root.js'
import { estranged, named, reloading, wiped } from './faults.js'
import { FileShelf } from './file-shelf.js'
import { establish, KIND, layoutOf } from './layout.js'
import type { Layout } from './layout.js'
import { Life } from './life.js'
import type { LifeParts } from './life.js'

export interface FileMediumOptions extends LifeParts {
  readonly path: string
  readonly durability: 'power' | 'process'
  readonly newId: () => string
  /** What a thread loads to beat; null: beats run on the loop. */
  readonly beatModule: string | null
}

export class FileMedium implements Medium {
  readonly #options: FileMediumOptions
  #layout: Layout
  #life: Life | null = null
  #loading: Promise<void> | null = null
  #storeId = ''
  #keeps: 'power' | 'process'
  #unwatch: () => void = () => undefined
  #onNews: (news: News) => void = () => undefined
  #rings = false
  #dropBox: DropBox | null = null
  #reserve: Reserve | null = null
  /** How often it parted from another process since one last agreed. */
  #partings = 0
  /** Loading anew did not help: nothing is answered any more. */
  #estranged: Error | null = null

  constructor(options: FileMediumOptions) {
    this.#options = options
    this.#keeps = options.durability
    this.#layout = layoutOf(options.path, '')
  }

  get traits(): Traits {
    const beat = this.#options.beatModule === null ? 'loop' : 'thread'
    return { survives: this.#keeps, reach: 'host', transactions: false, hints: true, beat }
  }

  get book(): Book {
    return this.#life?.book ?? NOTHING
  }

  async open(scope: string, onNews: (news: News) => void): Promise<void> {
    const { disk, path, nonce } = this.#options
    this.#layout = layoutOf(path, scope)
    try {
      await establish(disk, this.#layout, nonce)
      this.#storeId = idOf(disk, path, KIND) ?? ''
      this.#judgeMedium()
      const { scope: kept, tmp } = this.#layout
      this.#reserve = new Reserve(disk, {
        path: `${kept}/reserve`,
        draft: `${tmp}/${nonce}.reserve`,
      })
      this.#reserve.keep()
      this.#life = await this.#begin(null)
    } catch (error) {
      throw named(path, error)
    }
    this.#dropBox = this.#newDropBox()
    this.#onNews = onNews
    this.#unwatch = disk.watch(this.#layout.log, () => this.#hinted())
  }

  async #begin(doubtful: number | null): Promise<Life> {
    const life = await Life.begin({
      ...{ ...this.#options, layout: this.#layout, doubtful },
      onBehind: (behind) => this.#loadAnew(behind),
      onParted: (other) => this.#part(other),
      onAgreed: () => (this.#partings = 0),
    })
    life.book.takeNews()
    return life
  }

  #newDropBox(): DropBox {
    const { disk, newId, host, warn } = this.#options
    const box: DropBox = new DropBox({
      ...{ disk, layout: this.#layout, newId, warn },
      wall: () => host.wall(),
      insert: async (job) => {
        const [answer] = this.commit({ kind: 'insert', lots: [1], items: [job] })
        await this.durable()
        return answer
      },
      onDrop: () => {
        box.collect().catch((error: unknown) => warn(`the drop box: ${String(error)}`))
      },
    })
    return box
  }

  /** Refuses what cannot order appends, and says honestly what cannot survive a power cut. */
  #judgeMedium(): void {
    const { disk, path, warn } = this.#options
    const medium = disk.medium(path)
    if (!medium.ordersAppends) {
      throw millraceError({
        code: 'STORE_UNREACHABLE',
        subject: path,
        expected: 'a local file system, on which appends of several processes are ordered',
        received: medium.name,
        remedy: 'use a folder on a local disk',
      })
    }
    if (medium.keeps === 'process' && this.#keeps === 'power') {
      this.#keeps = 'process'
      warn(`${path} is on ${medium.name}: its jobs survive a crash of the process, not of the host`)
    }
  }

  async close(): Promise<void> {
    this.#unwatch()
    this.#dropBox?.close()
    await this.#loading
    const life = this.#life
    this.#life = null
    if (life === null) return
    try {
      await life.durable(this.#options.durability)
    } finally {
      await life.close()
    }
  }

  now(): Millis {
    return this.#living().now()
  }

  refresh(): void {
    this.#guarded((life) => life.refresh())
    this.#ring()
  }

  commit<K extends Frame['kind']>(frame: FrameOf[K] & { readonly kind: K }): Answers[K] {
    const answer = this.#guarded((life) => this.#commitOrMakeRoom(life, frame))
    this.#ring()
    return answer as Answers[K] // the answer to this very frame
  }

  /** On a full disk new jobs are refused; what ends jobs gets the reserve. */
  #commitOrMakeRoom(life: Life, frame: Frame): Answers[Frame['kind']] {
    const isInsert = frame.kind === 'insert' || frame.kind === 'tick'
    if (isInsert && !this.#hasReserve()) throw full(this.#layout.log)
    try {
      return life.commit(frame)
    } catch (error) {
      if (!isFull(error)) throw error
      if (isInsert) throw full(this.#layout.log, error)
      if (this.#reserve?.giveUp() !== true) throw error
      return life.commit(frame)
    }
  }

  #hasReserve(): boolean {
    try {
      return this.#reserve?.keep() !== false
    } catch (error) {
      throw named(this.#layout.scope, error)
    }
  }

  async tend(): Promise<void> {
    try {
      this.#reserve?.keep()
      await this.#dropBox?.collect()
    } catch (error) {
      // Nobody waits for this; the next sweep tries again.
      this.#options.warn(`upkeep beside the sweep failed: ${String(error)}`)
    }
  }

  async durable(): Promise<void> {
    const life = this.#living()
    try {
      await life.durable(this.#options.durability)
    } catch (error) {
      this.#mend(life, error)
      throw error
    }
  }

  calm(): Millis {
    return Infinity
  }

  liveness(card: Card): Liveness {
    return this.#options.host.liveness(card.proof)
  }

  proof(): string | null {
    return this.#options.host.proof
  }

  beatRecipe(): BeatRecipe | null {
    const { beatModule: module, nonce } = this.#options
    if (module === null) return null
    const { base } = this.#living().anchor
    const data: BeatData = { layout: this.#layout, base, writer: `${nonce}-beat` }
    return { module, data }
  }

  #hinted(): void {
    if (this.#life === null || this.#life.failure !== null) return
    try {
      this.refresh()
    } catch (error) {
      // A hint may be lost; whoever calls next meets the same trouble and is told.
      this.#options.warn(`the log could not be read after a change: ${String(error)}`)
    }
  }

  #ring(): void {
    if (this.#rings || !this.book.hasNews) return
    this.#rings = true
    queueMicrotask(() => {
      this.#rings = false
      this.#onNews(this.book.takeNews())
    })
  }

  /** One of the two has read what others cannot read any more, so both read it anew; once. */
  #part(life: Life): void {
    const { path, warn } = this.#options
    if (this.#partings++ > 0) {
      this.#estranged = estranged(path)
      return warn(this.#estranged.message)
    }
    warn(`${path}: another process reads another state from the same log; it is loaded anew`)
    this.#loadAnew(life)
  }

  #living(): Life {
    if (this.#estranged !== null) throw this.#estranged
    if (this.#life !== null) return this.#life
    throw reloading(this.#layout.log, 'a store that is being loaded anew')
  }

  #guarded<T>(run: (life: Life) => T): T {
    const life = this.#living()
    try {
      return run(life)
    } catch (error) {
      this.#mend(life, error)
      throw error
    }
  }

  /**
   * What another life can mend: a sync that failed, or a file that is gone, because we slept through
   * two compactions. Unless the store was wiped: then nothing can.
   */
  #mend(life: Life, error: unknown): void {
    const { disk, path } = this.#options
    if (MillraceError.is(error, 'STORE_WIPED')) throw error
    if (isMissing(error) && idOf(disk, path, KIND) !== this.#storeId) throw wiped(path)
    if (life.failure !== null || isMissing(error)) this.#loadAnew(life)
  }

  #loadAnew(life: Life): void {
    if (this.#life !== life || this.#loading !== null) return
    this.#life = null
    const begin = async (): Promise<void> => {
      const doubtful = life.failure === null ? null : life.doubtful
      await life.close()
      this.#life = await this.#begin(doubtful)
    }
    this.#loading = begin()
      .catch((error: unknown) => {
        this.#options.warn(`the store could not be loaded anew: ${String(error)}`)
        this.#life = life
      })
      .finally(() => (this.#loading = null))
  }
}

/** What is shown before there is anything. */
const NOTHING = new Book(new FileShelf(() => unopened()))

function unopened(): never {
  throw new Error('the file store is not open')
}
