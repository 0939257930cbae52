/**
 * The file store's medium: the book kept as a shared log. A frame is committed by appending it,
 * reading back that it stands, and folding everything up to it; it is durable when a sync that began
 * later has ended. Any number of processes do this side by side, without lock, leader or daemon.
 */
import type { Disk } from '../../disk/disk.js'
import { Book } from '../../job/book/book.js'
import type { Answers, FrameOf } from '../../job/book/book.js'
import type { Frame } from '../../job/book/frame.js'
import type { Card } from '../../job/book/frame.js'
import type { Liveness } from '../../job/book/decide-sweep.js'
import { millraceError } from '../../job/errors.js'
import type { Millis } from '../../job/job.js'
import type { BeatRecipe, Traits } from '../../store.js'
import type { Medium, News } from '../book-store.js'
import type { BeatData } from './file-beat.js'
import { FileShelf } from './file-shelf.js'
import type { Filed, PaperKind } from './file-shelf.js'
import { readFrame, writeFrame } from './frame-words.js'
import type { Host } from './host.js'
import { establish, layoutOf, segmentPath } from './layout.js'
import type { Layout } from './layout.js'
import { Log } from './log.js'
import type { Landed } from './log.js'
import { Syncer } from './syncer.js'

export interface FileMediumOptions {
  readonly path: string
  readonly durability: 'power' | 'process'
  readonly disk: Disk
  readonly host: Host
  /** Names this handle in files and frames; never used again. */
  readonly nonce: string
  /** Lets others run between two slices of a long replay. */
  readonly pause: () => Promise<void>
  readonly segmentBytes: number
  /** Told of damage, of a medium that cannot keep what it is given. */
  readonly warn: (message: string) => void
  readonly beatModule: string | null
}

/** How far wall and store time may part before jobs that wait for the wall are moved. */
const CLOCK_SLACK = 1_000

/** Ours, while it is on its way through the log. */
interface Own {
  readonly frame: Frame
  answer: { readonly value: Answers[Frame['kind']] } | null
}

export class FileMedium implements Medium {
  readonly book: Book
  readonly #options: FileMediumOptions
  readonly #shelf: FileShelf
  #layout: Layout
  #log: Log | null = null
  #syncer: Syncer | null = null
  #keeps: 'power' | 'process'
  #unwatch: () => void = () => undefined
  #onNews: (news: News) => void = () => undefined
  #rings = false
  /** How store time follows from the host's clock, since its last start. */
  #boot = ''
  #base = 0

  constructor(options: FileMediumOptions) {
    this.#options = options
    this.#keeps = options.durability
    this.#layout = layoutOf(options.path, '')
    this.#shelf = new FileShelf((file) => options.disk.read(segmentPath(this.#layout, file)))
    this.book = new Book(this.#shelf)
  }

  get traits(): Traits {
    return {
      survives: this.#keeps,
      reach: 'host',
      transactions: false,
      hints: true,
      beat: this.#options.beatModule === null ? 'loop' : 'thread',
    }
  }

  async open(scope: string, onNews: (news: News) => void): Promise<void> {
    const { disk, path, nonce } = this.#options
    this.#layout = layoutOf(path, scope)
    await establish(disk, this.#layout, nonce)
    this.#judgeMedium()
    const log = this.#newLog(1)
    await log.begin()
    this.#syncer = new Syncer(log, { segment: log.segment, offset: 0 })
    this.#log = log
    await log.catchUp(this.#options.pause)
    this.#anchor()
    this.#onNews = onNews
    this.#unwatch = disk.watch(this.#layout.log, () => this.#hinted())
    this.book.takeNews()
  }

  #newLog(from: number): Log {
    const { disk, nonce, segmentBytes } = this.#options
    return new Log(
      {
        disk,
        layout: this.#layout,
        writer: nonce,
        segmentBytes,
        fold: (landed, own) => this.#fold(landed, own as Own | undefined), // what `commit` gave
        onRot: (file, rot) => this.#reportRot(file, rot.at, rot.length),
        durable: () => this.#syncer?.durable ?? { segment: from, offset: 0 },
        onRolled: (sealed) => this.#syncer?.pass({ segment: sealed + 1, offset: 0 }),
      },
      from,
    )
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
        remedy: 'use a folder on a local disk; for many machines, use postgres: or redis:',
      })
    }
    if (medium.keeps === 'process' && this.#keeps === 'power') {
      this.#keeps = 'process'
      warn(`${path} is on ${medium.name}: its jobs survive a crash of the process, not of the host`)
    }
  }

  async close(): Promise<void> {
    this.#unwatch()
    try {
      await this.durable()
    } finally {
      this.#log?.close()
      this.#log = null
      this.#shelf.close(() => false)
    }
  }

  now(): Millis {
    return this.#options.host.up() + this.#base
  }

  refresh(): void {
    this.#running().refresh()
    this.#followWall()
    this.#ring()
  }

  commit<K extends Frame['kind']>(frame: FrameOf[K] & { readonly kind: K }): Answers[K] {
    const log = this.#running()
    const failure = this.#syncer?.failure
    if (failure != null) throw shut(this.#layout.log, failure)
    const own: Own = { frame, answer: null }
    const { guards, lines } = writeFrame(frame)
    log.append({ kind: frame.kind, guards, lines, own }, () => this.now())
    this.#ring()
    this.#rollWhenFull(log)
    if (own.answer === null) throw new Error(`a frame of kind ${frame.kind} landed unanswered`)
    return own.answer.value as Answers[K] // the fold answered this very frame
  }

  async durable(): Promise<void> {
    if (this.#options.durability === 'process') return
    await this.#syncer?.through()
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
    const data: BeatData = { layout: this.#layout, base: this.#base, writer: `${nonce}-beat` }
    return { module, data }
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

  #hinted(): void {
    if (this.#log === null || this.#syncer?.failure != null) return
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

  #rolling: Promise<void> | null = null

  #rollWhenFull(log: Log): void {
    if (log.folded < this.#options.segmentBytes || this.#rolling !== null) return
    this.#rolling = log
      .roll(() => this.now())
      .catch((error: unknown) => this.#options.warn(`the log could not roll: ${String(error)}`))
      .finally(() => (this.#rolling = null))
  }

  // ── Time ─────────────────────────────────────────────────────────────────────────────────────

  /** After a start of the host its clock begins anew: the first to notice says how it goes on. */
  #anchor(): void {
    const { host } = this.#options
    if (this.#boot !== host.boot) {
      const base = Math.max(host.wall(), this.book.ledger.now) - host.up()
      const guards = JSON.stringify({ boot: host.boot, base })
      this.#running().append(
        { kind: 'boot', guards, lines: [], own: undefined },
        () => host.up() + base,
      )
    }
    this.#followWall()
  }

  #takeBoot(guards: string, time: number): void {
    const said = JSON.parse(guards) as { boot: string; base: number } // as `#anchor` wrote it
    if (said.boot === this.#boot) return
    this.#boot = said.boot
    this.#base = said.base
    if (time > this.book.ledger.now) this.book.ledger.now = time
  }

  /** The wall's clock was set: jobs that wait for an instant of it move along. */
  #followWall(): void {
    const { host } = this.#options
    const wallOffset = Math.round(host.wall() - this.now())
    if (Math.abs(wallOffset - this.book.ledger.wallOffset) <= CLOCK_SLACK) return
    this.commit({ kind: 'clock', wallOffset })
  }

  #reportRot(file: string, at: number, length: number): void {
    this.#options.warn(`${file} is damaged: ${length} bytes at ${at} are not what was written`)
  }

  #running(): Log {
    if (this.#log !== null) return this.#log
    throw new Error('the file store is not open')
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
