/**
 * The book: the whole queue as a pure state machine. `apply` is the fold: the same frames in the
 * same order give the same book, in every process and after every restart; it asks neither clock
 * nor disk nor chance. `decide-*.ts` look at a book and propose frames; `views.ts` shows it.
 *
 * It is the memory store when it stands alone, the file store when its frames are kept as a log,
 * and the model that every other store is tested against.
 */
import type { Inserted } from '../lot.js'
import type { Millis } from '../job.js'
import type { Loaded } from '../portable.js'
import type { StoredSettings } from '../settings.js'
import type { Planned, Ticked } from '../schedule.js'
import type { Noted } from '../verdict.js'
import type { ClaimFrame, ClockFrame, Frame, InsertFrame, SettingsFrame } from './frame.js'
import type { ControlFrame, NoteFrame, SettleFrame, SweepFrame } from './frame.js'
import type { DropFrame, BeatFrame, HelloFrame, LeaveFrame } from './frame.js'
import type { LoadFrame, PauseFrame, ScheduleFrame, TickFrame, TransitFrame } from './frame.js'
import { applyClaim } from './apply-claim.js'
import { applyControl } from './apply-control.js'
import type { ControlledJobs } from './apply-control.js'
import { applyInsert } from './apply-insert.js'
import { applyLoad } from './apply-load.js'
import { applyBeat, applyDrop, applyHello, applyLeave, applySweep } from './apply-node.js'
import type { SweptJobs } from './apply-node.js'
import { applyPause } from './apply-pause.js'
import { applySettings } from './apply-settings.js'
import { applyNote, applySettle } from './apply-settle.js'
import type { SettledJobs } from './apply-settle.js'
import { applyTransit } from './apply-transit.js'
import { bringDown } from './cascade.js'
import { AT_WALL, AVAILABLE, RETRYABLE, SCHEDULED, WAITING } from './columns.js'
import type { Columns } from './columns.js'
import type { Filing, Shelf } from './extra.js'
import { Ledger } from './ledger.js'
import { applySchedule, applyTick } from './schedules.js'

/** What each kind of frame answers where it took effect. */
export interface Answers {
  readonly insert: readonly Inserted[]
  /** A token per item, 0 where it was not given; null: void. */
  readonly claim: Float64Array | null
  readonly settle: SettledJobs
  readonly note: readonly Noted[]
  readonly control: ControlledJobs
  /** False: it was so before. */
  readonly pause: boolean
  readonly sweep: SweptJobs
  readonly drop: number
  /** False: the node was swept. */
  readonly beat: boolean
  readonly hello: boolean
  readonly leave: void
  /** Null: someone else was first; look again. */
  readonly settings: StoredSettings | null
  readonly clock: void
  readonly schedule: readonly Planned[]
  readonly tick: readonly Ticked[]
  readonly load: readonly Loaded[]
  /** False: it was so before. */
  readonly transit: boolean
}

export type FrameOf = {
  readonly insert: InsertFrame
  readonly claim: ClaimFrame
  readonly settle: SettleFrame
  readonly note: NoteFrame
  readonly control: ControlFrame
  readonly pause: PauseFrame
  readonly sweep: SweepFrame
  readonly drop: DropFrame
  readonly beat: BeatFrame
  readonly hello: HelloFrame
  readonly leave: LeaveFrame
  readonly settings: SettingsFrame
  readonly clock: ClockFrame
  readonly schedule: ScheduleFrame
  readonly tick: TickFrame
  readonly load: LoadFrame
  readonly transit: TransitFrame
}

export class Book {
  readonly ledger: Ledger

  /** `columns`: empty ones, which may have served another book before [new ones]. */
  constructor(shelf: Shelf, columns?: Columns) {
    this.ledger = new Ledger(shelf, columns)
  }

  /** `time`: the store's; an earlier one than the book has seen counts as that. */
  apply<K extends Frame['kind']>(
    frame: FrameOf[K] & { readonly kind: K },
    time: Millis,
    filing: Filing,
  ): Answers[K] {
    if (time > this.ledger.now) this.ledger.now = time
    const answer = this.#apply(frame, filing)
    // What ended by a beat or a leave is told by nobody, and neither is what falls with it.
    bringDown(this.ledger)
    // The switch answers by `kind`, which the compiler cannot tie to `K`.
    return answer as Answers[K]
  }

  /** What changed since the last call, by queue name, as bits of `NEWS_*`. */
  takeNews(): Map<string, number> {
    const news = this.ledger.news
    if (news.size > 0) this.ledger.news = new Map()
    return news
  }

  get hasNews(): boolean {
    return this.ledger.news.size > 0
  }

  #apply(frame: Frame, filing: Filing): Answers[Frame['kind']] {
    const ledger = this.ledger
    switch (frame.kind) {
      case 'insert':
        return applyInsert(ledger, frame, filing)
      case 'claim':
        return applyClaim(ledger, frame, filing)
      case 'settle':
        return applySettle(ledger, frame, filing)
      case 'note':
        return applyNote(ledger, frame, filing)
      case 'control':
        return applyControl(ledger, frame, filing)
      case 'pause':
        return applyPause(ledger, frame)
      case 'sweep':
        return applySweep(ledger, frame)
      case 'drop':
        return applyDrop(ledger, frame)
      case 'beat':
        return applyBeat(ledger, frame)
      case 'hello':
        return applyHello(ledger, frame)
      case 'leave':
        return applyLeave(ledger, frame)
      case 'settings':
        return applySettings(ledger, frame)
      case 'clock':
        return applyClock(ledger, frame)
      case 'schedule':
        return applySchedule(ledger, frame)
      case 'tick':
        return applyTick(ledger, frame, filing)
      case 'load':
        return applyLoad(ledger, frame, filing)
      case 'transit':
        return applyTransit(ledger, frame)
    }
  }
}

/** Jobs that wait for an instant of wall time move with it; spans and leases do not. */
function applyClock(ledger: Ledger, frame: ClockFrame): void {
  const shift = frame.wallOffset - ledger.wallOffset
  ledger.wallOffset = frame.wallOffset
  const columns = ledger.columns
  for (let slot = 0; slot < columns.used; slot++) {
    const state = columns.state.get(slot)
    // Whether a timer was looked at is this replica's own affair: what is due is asked of the time.
    const waits = state === SCHEDULED || state === AVAILABLE || state === RETRYABLE
    if (state === WAITING && columns.has(slot, AT_WALL)) {
      columns.mark(slot)
      columns.place.set(slot, columns.place.get(slot) - shift)
      continue
    }
    if (!waits || !columns.has(slot, AT_WALL) || columns.place.get(slot) <= ledger.now) continue
    // A retry's delay is a span, and its place is past.
    if (ledger.dueOf(slot) !== columns.place.get(slot)) continue
    const due = columns.place.get(slot) - shift
    columns.place.set(slot, due)
    ledger.wait(slot, due, SCHEDULED)
  }
}
