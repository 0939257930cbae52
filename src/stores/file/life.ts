/**
 * One opened state of a file store: a book, the log that it follows, and the clock that it is read
 * by. Begins from the newest sound snapshot and the segments behind it.
 *
 * Store time is the host's time since it was started, suspended time included, and a base that the
 * first process after a start of the host writes down; so leases and delays do not care who sets
 * the wall's clock. Jobs that wait for an instant of the wall follow it by `clock` frames.
 */
import type { Disk } from '../../disk/disk.js'
import { Book } from '../../job/book/book.js'
import type { Answers } from '../../job/book/book.js'
import type { Frame } from '../../job/book/frame.js'
import { millraceError } from '../../job/errors.js'
import type { Millis } from '../../job/job.js'
import { FileShelf } from './file-shelf.js'
import type { Filed, PaperKind } from './file-shelf.js'
import { readFrame, writeFrame } from './frame-words.js'
import { Generations } from './generations.js'
import type { Host } from './host.js'
import type { Layout } from './layout.js'
import { Log } from './log.js'
import type { Landed } from './log.js'
import { filePath, snapshots } from './snapshot-files.js'
import { Syncer } from './syncer.js'

/** How far wall and store time may part before jobs that wait for the wall are moved. */
const CLOCK_SLACK = 1_000

/** What a life needs of the machine. */
export interface LifeParts {
  readonly disk: Disk
  readonly host: Host
  /** Names this handle in files and frames; never used again. */
  readonly nonce: string
  /** Lets others run between two slices of long work. */
  readonly pause: () => Promise<void>
  readonly segmentBytes: number
  /** Told of damage, and of a medium that cannot keep what it is given. */
  readonly warn: (message: string) => void
}

export interface LifeOptions extends LifeParts {
  readonly layout: Layout
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
  #anchor: { readonly boot: string; readonly base: number } = { boot: '', base: 0 }
  #rolling: Promise<void> | null = null
  #isLive = false

  static async begin(options: LifeOptions): Promise<Life> {
    const { disk, layout, warn } = options
    const damaged = new Set<number>()
    for (const segment of snapshots(disk, layout)) {
      const datas = new Map<number, string>()
      const shelf = new FileShelf((file) => disk.read(filePath(layout, file, datas)))
      const life = new Life(options, shelf, datas, segment + 1)
      try {
        const head = await life.#generations.load(damaged)
        if (head !== null) life.#anchor = { boot: head.boot, base: head.base }
        return await life.#start()
      } catch (error) {
        shelf.close(() => false)
        life.#log.close()
        damaged.add(segment)
        warn(`snapshot ${segment} is passed over: ${String(error)}`)
      }
    }
    const datas = new Map<number, string>()
    const shelf = new FileShelf((file) => disk.read(filePath(layout, file, datas)))
    return new Life(options, shelf, datas, 1).#start()
  }

  private constructor(
    options: LifeOptions,
    shelf: FileShelf,
    datas: Map<number, string>,
    from: number,
  ) {
    this.#options = options
    this.#shelf = shelf
    this.book = new Book(shelf)
    this.#log = new Log(
      {
        disk: options.disk,
        layout: options.layout,
        writer: options.nonce,
        segmentBytes: options.segmentBytes,
        fold: (landed, own) => this.#fold(landed, own as Own | undefined), // what `commit` gave
        onRot: (path, rot) => {
          options.warn(
            `${path} is damaged: ${rot.length} bytes at ${rot.at} are not what was written`,
          )
        },
        durable: () => this.#syncer.durable,
        onRolled: (sealed, bytes, ours) => this.#rolled(sealed, bytes, ours),
      },
      from,
    )
    this.#syncer = new Syncer(this.#log, { segment: from, offset: 0 })
    const { disk, layout, nonce, segmentBytes, pause, warn } = options
    this.#generations = new Generations({
      ...{ disk, layout, nonce, segmentBytes, pause, warn, shelf, datas },
      ledger: this.book.ledger,
      anchor: () => this.#anchor,
    })
  }

  async #start(): Promise<Life> {
    await this.#log.begin()
    await this.#log.catchUp(this.#options.pause)
    this.#isLive = true
    this.#anchorToBoot()
    return this
  }

  get anchor(): { readonly boot: string; readonly base: number } {
    return this.#anchor
  }

  get failure(): Error | null {
    return this.#syncer.failure
  }

  now(): Millis {
    return this.#options.host.up() + this.#anchor.base
  }

  refresh(): void {
    this.#log.refresh()
    this.#followWall()
  }

  commit(frame: Frame): Answers[Frame['kind']] {
    if (this.failure !== null) throw shut(this.#options.layout.log, this.failure)
    const own: Own = { frame, answer: null }
    const { guards, lines } = writeFrame(frame)
    this.#log.append({ kind: frame.kind, guards, lines, own }, () => this.now())
    this.#rollWhenFull()
    if (own.answer === null) throw new Error(`a frame of kind ${frame.kind} landed unanswered`)
    return own.answer.value
  }

  async durable(): Promise<void> {
    await this.#syncer.through()
  }

  async close(): Promise<void> {
    await this.#rolling
    await this.#generations.quiet()
    this.#log.close()
    this.#shelf.close(() => false)
  }

  #fold(landed: Landed, own: Own | undefined): void {
    const { head } = landed
    if (head.kind === 'boot') return this.#takeBoot(head.guards, head.time)
    const frame = own?.frame ?? readLanded(landed)
    if (frame === null) return
    const filed: Filed = { kind: paperKind(frame.kind), file: landed.segment, items: landed.items }
    const value = this.book.apply(frame, head.time, filed)
    if (own !== undefined) own.answer = { value }
  }

  #rolled(sealed: number, bytes: number, ours: boolean): void {
    this.#syncer.pass({ segment: sealed + 1, offset: 0 })
    if (this.#isLive) this.#generations.rolled(sealed, bytes, ours)
  }

  #rollWhenFull(): void {
    if (this.#log.folded < this.#options.segmentBytes || this.#rolling !== null) return
    this.#rolling = this.#log
      .roll(() => this.now())
      .catch((error: unknown) => this.#options.warn(`the log could not roll: ${String(error)}`))
      .finally(() => (this.#rolling = null))
  }

  /** After a start of the host its clock begins anew: the first to notice says how it goes on. */
  #anchorToBoot(): void {
    const { host } = this.#options
    if (this.#anchor.boot !== host.boot) {
      const base = Math.max(host.wall(), this.book.ledger.now) - host.up()
      const guards = JSON.stringify({ boot: host.boot, base })
      const entry = { kind: 'boot', guards, lines: [], own: undefined }
      this.#log.append(entry, () => host.up() + base)
    }
    this.#followWall()
  }

  #takeBoot(guards: string, time: number): void {
    const said = JSON.parse(guards) as { boot: string; base: number } // as `#anchorToBoot` wrote it
    if (said.boot === this.#anchor.boot) return
    this.#anchor = said
    if (time > this.book.ledger.now) this.book.ledger.now = time
  }

  /** The wall's clock was set: jobs that wait for an instant of it move along. */
  #followWall(): void {
    if (this.failure !== null) return
    const wallOffset = Math.round(this.#options.host.wall() - this.now())
    if (Math.abs(wallOffset - this.book.ledger.wallOffset) <= CLOCK_SLACK) return
    this.commit({ kind: 'clock', wallOffset })
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

function shut(subject: string, cause: Error): Error {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject,
    expected: 'a disk that syncs',
    received: cause.message,
    remedy: 'see to the disk, then open the store anew; what was answered before is safe',
    cause,
  })
}
