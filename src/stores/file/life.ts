/**
 * One opened state of a file store: a book, the log that it follows, and the clock that it is read
 * by. Begins from the newest sound snapshot and the segments behind it.
 *
 * A life ends when a sync fails: what the disk kept of the last segment is unknown then, though it
 * can still be read. The life after it is begun to `heal`: before it answers anything, it writes
 * what stands in doubt into a snapshot, which is new files, and leaves that segment behind.
 */
import type { Disk, DiskFile } from '../../disk/disk.js'
import { Book } from '../../job/book/book.js'
import type { Answers } from '../../job/book/book.js'
import type { Frame } from '../../job/book/frame.js'
import { MillraceError } from '../../job/errors.js'
import type { Millis } from '../../job/job.js'
import { Accord } from './accord.js'
import { removeAbandoned } from './drafts.js'
import { isMissing, isOfSystem } from '../../disk/errno.js'
import { named, parted, reloading, unknown, unreachable, wiped } from './faults.js'
import { FileShelf } from './file-shelf.js'
import type { Filed, PaperKind } from './file-shelf.js'
import { readFrame, writeFrame } from './frame-words.js'
import { kindOfLoad } from './load-words.js'
import { Generations } from './generations.js'
import type { Host } from '../../disk/host.js'
import { segmentPath } from './layout.js'
import type { Layout } from './layout.js'
import { Log } from './log.js'
import type { Landed } from './log.js'
import { filePath, snapshots } from './snapshot-files.js'
import { StoreClock } from './store-clock.js'
import type { Anchor } from './store-clock.js'
import { Syncer } from './syncer.js'

/** How often others may compact away what we were about to read, while a life begins. */
const BEGINNINGS = 16
/** How often somebody else may be first to write the snapshot that is to heal. */
const HEALINGS = 4

/** What a life needs of the machine. */
export interface LifeParts {
  readonly disk: Disk
  readonly host: Host
  /** Names this handle in files and frames; never used again. */
  readonly nonce: string
  /** Lets others run between two slices of long work. */
  readonly pause: () => Promise<void>
  readonly segmentBytes: number
  /** After so many frames of its own a process says what its book comes to. */
  readonly stateEvery: number
  /** Told of damage, and of a medium that cannot keep what it is given. */
  readonly warn: (message: string) => void
}

export interface LifeOptions extends LifeParts {
  readonly layout: Layout
  /** The first segment of which a failed sync left unknown what the disk kept; null: none. */
  readonly doubtful: number | null
  /** What it needs was compacted away: only another life can go on. */
  readonly onBehind: (life: Life) => void
  /** Another process reads another state from the same log, or the same again. */
  readonly onParted: (life: Life) => void
  readonly onAgreed: () => void
}

/** Ours, while it is on its way through the log. */
interface Own {
  readonly frame: Frame
  answer: { readonly value: Answers[Frame['kind']] } | null
}

export class Life {
  readonly book: Book
  readonly #options: LifeOptions
  readonly #shelf: FileShelf
  readonly #log: Log
  readonly #syncer: Syncer
  readonly #generations: Generations
  readonly #accord: Accord
  readonly #clock: StoreClock
  #rolling: Promise<void> | null = null
  #isLive = false
  #committed = 0
  /** Why nothing that the book says counts any more. */
  #parted: Error | null = null

  static async begin(options: LifeOptions): Promise<Life> {
    const { disk, layout, host } = options
    removeAbandoned(disk, layout.tmp, host.wall())
    for (let tries = 1; ; tries++) {
      const found = snapshots(disk, layout)
      try {
        return await Life.#fromNewest(options, found)
      } catch (error) {
        // While we read, others may compact away what we are about to read.
        const isStale = isMissing(error) && snapshots(disk, layout).join() !== found.join()
        if (!isStale || tries === BEGINNINGS) throw error
      }
    }
  }

  static async #fromNewest(options: LifeOptions, found: readonly number[]): Promise<Life> {
    for (const segment of found) {
      const life = new Life(options, segment + 1)
      try {
        const head = await life.#generations.load(segment)
        life.#clock.begin(head)
      } catch (error) {
        life.#letGo()
        if (isMissing(error)) throw error
        if (isOfSystem(error)) options.warn(`snapshot ${segment} is passed over: ${error.message}`)
        else life.#generations.discard(segment, error)
        continue
      }
      return life.#start()
    }
    return new Life(options, 1).#start()
  }

  private constructor(options: LifeOptions, from: number) {
    const { disk, layout, nonce, segmentBytes, pause, warn, doubtful } = options
    const datas = new Map<number, string>()
    const shelf = new FileShelf((file) => this.#fileOf(file, filePath(layout, file, datas)))
    this.#options = options
    this.#shelf = shelf
    this.book = new Book(shelf)
    this.#accord = new Accord(this.book.ledger)
    this.#clock = new StoreClock(options.host, this.book.ledger)
    this.#log = new Log(
      {
        ...{ disk, layout, warn, writer: nonce },
        fold: (landed, own) => this.#fold(landed, own as Own | undefined), // what `commit` gave
        durable: () => this.#syncer.durable,
        onUnsynced: (error) => this.#syncer.fail(error),
        onRolled: (sealed, bytes, ours) => this.#rolled(sealed, bytes, ours),
      },
      from,
    )
    this.#syncer = new Syncer(this.#log, { segment: from, offset: 0 })
    this.#generations = new Generations({
      ...{ disk, layout, nonce, segmentBytes, pause, warn, shelf, datas, doubtful },
      ledger: this.book.ledger,
      anchor: () => this.#clock.anchor,
    })
  }

  async #start(): Promise<Life> {
    try {
      await this.#log.begin()
      await this.#log.catchUp(this.#options.pause)
      this.#isLive = true
      this.#anchorToBoot()
      if (this.#accord.last === 'parts') this.#sayState()
      if (this.#options.doubtful !== null) await this.#heal(this.#options.doubtful)
      return this
    } catch (error) {
      await this.#generations.quiet()
      this.#letGo()
      throw error
    }
  }

  /** Until a snapshot that is ours, written from what can be read, stands for all that is in doubt. */
  async #heal(doubtful: number): Promise<void> {
    for (let tries = 0; this.#generations.written < doubtful; tries++) {
      if (tries === HEALINGS) throw unhealed(this.#options.layout.log)
      await this.#log.roll(() => this.now(), 0)
      await this.#generations.quiet()
      if (this.failure !== null) throw unreachable(this.#options.layout.log, this.failure)
    }
  }

  /** A file of papers; null: it is gone for good, and what was in it. */
  #fileOf(number: number, path: string): DiskFile | null {
    const { disk, warn, layout, onBehind } = this.#options
    try {
      return disk.read(path)
    } catch (error) {
      if (!isMissing(error)) throw named(path, error)
      if (this.#isBehind()) {
        onBehind(this)
        throw reloading(layout.log, error)
      }
      warn(`${path} is gone, and file ${number} of the log with it: its jobs cannot be read`)
      return null
    }
  }

  #isBehind(): boolean {
    const { root, log } = this.#options.layout
    try {
      return this.#generations.isBehind
    } catch (error) {
      throw isMissing(error) ? wiped(root) : named(log, error)
    }
  }

  get anchor(): Anchor {
    return this.#clock.anchor
  }

  /** Why nothing can be answered any more. */
  get failure(): Error | null {
    return this.#syncer.failure
  }

  /** Where a failed sync left unknown what the disk kept. */
  get doubtful(): number {
    return Math.min(this.#log.segment, this.#options.doubtful ?? Infinity)
  }

  now(): Millis {
    return this.#clock.now()
  }

  refresh(): void {
    if (this.#parted !== null) throw this.#parted
    this.#log.refresh()
    this.#followWall()
  }

  commit(frame: Frame): Answers[Frame['kind']] {
    if (this.#parted !== null) throw this.#parted
    if (this.failure !== null) throw this.#shut(this.failure)
    const own: Own = { frame, answer: null }
    const { guards, lines } = writeFrame(frame)
    this.#log.append({ kind: frame.kind, guards, lines, own }, () => this.now())
    if (own.answer === null) throw new Error(`a frame of kind ${frame.kind} landed unanswered`)
    this.#rollWhenFull()
    if (++this.#committed % this.#options.stateEvery === 0) this.#sayState()
    return own.answer.value
  }

  /** So that the others can compare. Nobody waits for it, and it is said again. */
  #sayState(): void {
    const guards = (at: number): string => this.#accord.say(at)
    try {
      this.#log.append({ kind: 'state', guards, lines: [], own: undefined }, () => this.now())
    } catch (error) {
      this.#options.warn(`the state could not be said: ${String(error)}`)
    }
  }

  /** All that stands in the log now survives: a power cut, or only the end of the process. */
  async durable(what: 'power' | 'process'): Promise<void> {
    if (what === 'power') await this.#syncer.through()
    if (this.#parted !== null) throw unknown(this.#options.layout.log, this.#parted)
    try {
      this.#log.mustHaveName()
    } catch (error) {
      if (MillraceError.is(error, 'STORE_WIPED')) this.#syncer.fail(error)
      throw error
    }
  }

  async close(): Promise<void> {
    await this.#rolling
    await this.#generations.quiet()
    this.#letGo()
  }

  #letGo(): void {
    this.#log.close()
    this.#shelf.close(() => false)
  }

  #shut(failure: Error): Error {
    if (MillraceError.is(failure)) return failure
    return reloading(this.#options.layout.log, failure)
  }

  #fold(landed: Landed, own: Own | undefined): void {
    const { head } = landed
    if (head.kind === 'boot') return this.#clock.take(head.guards, head.time)
    if (head.kind === 'state') return this.#compare(landed)
    const frame = own?.frame ?? readLanded(landed)
    if (frame === null) return
    const filed: Filed = {
      kind: paperKind(frame.kind),
      ...(frame.kind === 'load' ? { kinds: frame.items.map(kindOfLoad) } : {}),
      file: landed.segment,
      items: landed.items,
    }
    const value = this.book.apply(frame, head.time, filed)
    if (own !== undefined) own.answer = { value }
  }

  /** While the log is read over, only what was said last counts: others may have read it anew, too. */
  #compare(landed: Landed): void {
    const { layout, nonce, onAgreed, onParted } = this.#options
    const heard = this.#accord.hear(landed)
    if (!this.#isLive || heard === 'nothing' || landed.head.writer === nonce) return
    if (heard === 'agrees') return onAgreed()
    this.#parted = parted(`${segmentPath(layout, landed.segment)} at ${landed.at}`)
    onParted(this)
    throw this.#parted
  }

  #rolled(sealed: number, bytes: number, ours: boolean): void {
    this.#syncer.pass({ segment: sealed + 1, offset: 0 })
    if (this.#isLive) this.#generations.rolled(sealed, bytes, ours)
  }

  #rollWhenFull(): void {
    if (this.#log.folded < this.#options.segmentBytes || this.#rolling !== null) return
    this.#rolling = this.#log
      .roll(() => this.now(), this.#options.segmentBytes)
      .then(() => this.#sayState())
      .catch((error: unknown) => this.#options.warn(`the log could not roll: ${String(error)}`))
      .finally(() => (this.#rolling = null))
  }

  /** After a start of the host its clock begins anew: the first to notice says how it goes on. */
  #anchorToBoot(): void {
    const boot = this.#clock.boot()
    if (boot !== null) {
      const entry = { kind: 'boot', guards: boot.guards, lines: [], own: undefined }
      this.#log.append(entry, boot.time)
    }
    this.#followWall()
  }

  /** The wall's clock was set: jobs that wait for an instant of it move along. */
  #followWall(): void {
    if (this.failure !== null) return
    const wallOffset = this.#clock.newWallOffset()
    if (wallOffset !== null) this.commit({ kind: 'clock', wallOffset })
  }
}

/** A frame that rotted is folded as far as its lines can stand for themselves. */
function readLanded(landed: Landed): Frame | null {
  const lines = landed.items.map((_, item) => landed.text(item))
  const { kind, guards } = landed.head
  if (!landed.isSalvage) return readFrame(kind, guards, lines)
  if (kind === 'claim') return null
  return readFrame(kind, kind === 'insert' ? JSON.stringify(lines.map(() => 1)) : guards, lines)
}

function paperKind(kind: Frame['kind']): PaperKind {
  return kind === 'settle' || kind === 'note' || kind === 'control' ? kind : 'job'
}

function unhealed(subject: string): Error {
  return unreachable(subject, new Error('the disk takes no snapshot of what a failed sync left'))
}
