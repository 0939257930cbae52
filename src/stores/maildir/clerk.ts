/**
 * The clerk knows which file each job and each paper has, and says after a frame which moves make
 * the folder say what the book says. It touches no disk.
 */
import { encodeName } from '../../disk/names.js'
import type { Instant } from '../../job/job.js'
import type { Changes } from '../../job/book/changes.js'
import { CANCELLED, COMPLETED, DISCARDED, FREE } from '../../job/book/columns.js'
import { RECEIPT, RUNNING, WAITING } from '../../job/book/columns.js'
import type { Frame } from '../../job/book/frame.js'
import type { Tray } from './layout.js'
import { flagsOf, nameOf, readDeliveryName, readName } from './letter-name.js'
import type { HoldWords } from './letter-name.js'
import { letterOf } from './letter-write.js'
import type { Move } from './moves.js'
import { paperFront, papersOf, paperText } from './papers.js'
import type { PaperRef, PaperSource } from './papers.js'

export interface ClerkParts extends PaperSource {
  readonly changes: Changes
  readonly generation: number
  /** As it stands in names. */
  readonly host: string
}

/** The commit log, as far as it concerns who says what is to be written there. */
export interface LogView {
  /** Where the moves will stand. */
  readonly segment: number
  /** Whether what was to lie there is no file yet, and its text waits in the log. */
  isUnwritten(path: string): boolean
}

const PAPERS = '.keeper/papers'

export class Clerk {
  readonly #parts: ClerkParts
  /** By slot: where its letter shall lie, below the scope. */
  readonly #letters: (string | undefined)[] = []
  readonly #slots = new Map<string, number>()
  /** By slot: the segment that has its text last. */
  readonly #segments: number[] = []
  readonly #papers = new Map<string, { readonly path: string; readonly text: string }>()
  readonly #queues = new Map<string, string>()

  constructor(parts: ClerkParts) {
    this.#parts = parts
  }

  /** As the folder was read: the letter of a slot. */
  found(slot: number, path: string): void {
    this.#lay(slot, path)
    this.#segments[slot] = -1
  }

  /** Whose letter lies there, or shall; undefined: nobody's. */
  slotAt(path: string): number | undefined {
    return this.#slots.get(path)
  }

  /** Where letters lie, or shall. */
  paths(): Iterable<string> {
    return this.#slots.keys()
  }

  #lay(slot: number, path: string | undefined): void {
    const was = this.#letters[slot]
    if (was === path) return
    if (was !== undefined && this.#slots.get(was) === slot) this.#slots.delete(was)
    this.#letters[slot] = path
    if (path !== undefined) this.#slots.set(path, slot)
  }

  foundPaper(front: string, path: string, text: string): void {
    this.#papers.set(front, { path, text })
  }

  letter(slot: number): string | undefined {
    return this.#letters[slot]
  }

  /**
   * What a frame that was just applied has changed; clears what was noted of it. A move without its
   * text stands in the same segment as the text: they are cleared away together. Or the letter is no
   * file yet: it will be written under its new name, and the segment with its text goes after that.
   */
  moves(frame: Frame, log: LogView, wall: Instant): Move[] {
    const { changes, holders } = this.#parts
    const moves: Move[] = []
    // What waits is looked at anew under other settings, and stays as it is.
    if (frame.kind !== 'settings') {
      for (const slot of changes.slots) {
        const move = this.#letterMove(slot, frame.kind === 'claim', log, wall)
        if (move !== null) moves.push(move)
      }
    }
    for (const ref of papersOf(frame, changes)) {
      if (frame.kind === 'claim' && ref.kind === 'nodes' && !holders.isNew) continue
      const move = this.#paperMove(ref)
      if (move !== null) moves.push(move)
    }
    holders.isNew = false
    changes.clear()
    return moves
  }

  /** These letters as they ought to be, whatever lies there. */
  again(slots: readonly number[], log: LogView, wall: Instant): Move[] {
    return slots.flatMap((slot) => this.#letterMove(slot, false, log, wall) ?? [])
  }

  /** Every letter and paper under a name of this generation. */
  rehome(log: LogView, wall: Instant): Move[] {
    const moves: Move[] = []
    this.#letters.forEach((was, slot) => {
      const move = was === undefined ? null : this.#letterMove(slot, false, log, wall)
      if (move !== null) moves.push(move)
    })
    for (const [front, { path: was, text }] of this.#papers) {
      const path = `${PAPERS}/${front}.g${this.#parts.generation}.json`
      this.#papers.set(front, { path, text })
      moves.push({ was, path, text })
    }
    return moves
  }

  /** The paper as it is to be written now; null: it is so already. */
  paper(ref: PaperRef): Move | null {
    return this.#paperMove(ref)
  }

  #letterMove(slot: number, isClaim: boolean, log: LogView, wall: Instant): Move | null {
    const { ledger } = this.#parts
    const was = this.#letters[slot] ?? null
    if (ledger.columns.state.get(slot) === FREE) {
      this.#lay(slot, undefined)
      return was === null ? null : { was, path: null, text: null }
    }
    const path = this.#path(slot, was)
    this.#lay(slot, path)
    const isInLog = was !== null && (this.#segments[slot] === log.segment || log.isUnwritten(was))
    if (isClaim && isInLog) return was === path ? null : { was, path, text: null }
    this.#segments[slot] = log.segment
    return { was, path, text: letterOf(ledger, slot, wall), isKept: isClaim && was !== null }
  }

  #path(slot: number, was: string | null): string {
    const { ledger, generation, host } = this.#parts
    const { columns } = ledger
    const extra = ledger.findExtra(slot)
    const name = nameOf({
      priority: columns.priority.get(slot) - 100,
      place: columns.place.get(slot),
      seq: columns.seq.get(slot),
      generation,
      host: was === null ? host : (hostIn(was.slice(was.lastIndexOf('/') + 1)) ?? host),
      id: ledger.ids.text(slot),
      flags: extra === undefined ? '' : flagsOf(extra.history),
      hold: this.#hold(slot),
    })
    return `${this.#queue(ledger.queueOf(slot).name)}/${trayOf(columns.state.get(slot))}/${name}`
  }

  #hold(slot: number): HoldWords | null {
    const { ledger, holders } = this.#parts
    if (ledger.columns.state.get(slot) !== RUNNING) return null
    const hold = ledger.holds.get(slot)
    if (hold === undefined) return null
    const { token, claim, node, worker } = hold
    return { token, claim, holder: holders.number(node, worker) }
  }

  #queue(name: string): string {
    const known = this.#queues.get(name)
    if (known !== undefined) return known
    const segment = encodeName(name)
    this.#queues.set(name, segment)
    return segment
  }

  #paperMove(ref: PaperRef): Move | null {
    const front = paperFront(ref)
    const known = this.#papers.get(front)
    const text = paperText(this.#parts, ref)
    if (text === null) {
      this.#papers.delete(front)
      return known === undefined ? null : { was: known.path, path: null, text: null }
    }
    if (known?.text === text) return null
    const path = `${PAPERS}/${front}.g${this.#parts.generation}.json`
    this.#papers.set(front, { path, text })
    return { was: known?.path ?? null, path, text }
  }
}

/** Who wrote it down first. */
function hostIn(name: string): string | null {
  return readName(name)?.host ?? readDeliveryName(name)
}

function trayOf(state: number): Tray {
  switch (state) {
    case RUNNING:
      return 'cur'
    case WAITING:
      return 'wait'
    case COMPLETED:
      return 'done'
    case CANCELLED:
      return 'cancelled'
    case DISCARDED:
      return 'dead'
    case RECEIPT:
      return 'receipts'
    default:
      return 'new'
  }
}
