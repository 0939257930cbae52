/**
 * The facts of every job that the book must know at once, in columns by slot: at most eighty bytes
 * a job, some fifty of one that was never run and says nothing special. What is long or rare is not
 * here: payloads and errors stay with the store, what few jobs have is in `extra.ts`. A slot is one
 * job's row; it is used again when the job is gone.
 *
 * An *entry* is a slot with the stamp that it had: lines and heaps keep entries, and an entry whose
 * stamp has passed means nothing any more. So leaving a structure costs one increment.
 */
import { CHUNK_SLOTS, Float64Column, QuadColumn, Uint32Column, Uint8Column } from './column.js'

/** The states as numbers, in the order of `STATES`. */
export const SCHEDULED = 0
export const AVAILABLE = 1
export const RUNNING = 2
export const RETRYABLE = 3
export const WAITING = 4
export const COMPLETED = 5
export const CANCELLED = 6
export const DISCARDED = 7
/** The slot holds only the receipt of a finished job. */
export const RECEIPT = 8
/** The slot holds nothing. */
export const FREE = 9

/** Bits of `flags`. */
export const OWN_ID = 1
/** Its place was said as an instant of wall time. */
export const AT_WALL = 2
/** An operator asked its holder to cancel. */
export const CANCEL_ASKED = 4
/** Its id is not one of ours; see `odd ids` in `ids.ts`. */
export const ODD_ID = 8
/** A dead letter: what its paper says of attempts, timeout and expiry belonged to its first life. */
export const FRESH = 16
/** Something of it is in `extra.ts`. */
export const HAS_EXTRA = 32
/**
 * It holds its group: from its first start in a round until it ends, gets a new place, or gives its
 * only attempt back. In blocking order nothing else of the group starts meanwhile.
 */
export const HOLDS = 64

/** In `maxAttempts`: as the queue's settings say. */
export const BY_SETTINGS = 0xffffffff

/** The columns that an image has and that are one number a slot, by name. */
export const FLOATS = ['place', 'seq', 'insertedAt', 'since'] as const
export const WORDS = ['queue', 'task', 'group', 'attempt', 'maxAttempts'] as const
export const BYTES = ['state', 'flags', 'priority', 'crashes'] as const

/** Columns as they were once. */
export type ColumnsLoan = Pick<
  Columns,
  'used' | 'id' | (typeof FLOATS)[number] | (typeof WORDS)[number] | (typeof BYTES)[number]
>

/** Slots looked at between two yields. */
const SLOTS_AT_ONCE = 16_384

const STAMP_MASK = 0xfffff
const ENTRY_UNIT = 4294967296

export class Columns {
  readonly id = new QuadColumn()
  readonly queue = new Uint32Column()
  readonly task = new Uint32Column()
  readonly group = new Uint32Column()
  readonly state = new Uint8Column()
  readonly flags = new Uint8Column()
  /** Biased by 100. */
  readonly priority = new Uint8Column()
  readonly crashes = new Uint8Column()
  readonly attempt = new Uint32Column()
  readonly maxAttempts = new Uint32Column(new Uint32Array(CHUNK_SLOTS).fill(BY_SETTINGS))
  readonly stamp = new Uint32Column()
  /** Where it stands among its like; when it is due too, unless `extra.ts` says otherwise. */
  readonly place = new Float64Column()
  /** Its number among all insertions. */
  readonly seq = new Float64Column()
  readonly insertedAt = new Float64Column()
  /** When it was claimed, or when it ended. */
  readonly since = new Float64Column()

  /** Who wants to know which slots are different; null: nobody. */
  changed: Set<number> | null = null

  #used = 0
  #capacity = 0
  #free: number[] = []

  /** One more than the highest slot that was ever used. */
  get used(): number {
    return this.#used
  }

  take(): number {
    const again = this.#free.pop()
    if (again !== undefined) return again
    if (this.#used === this.#capacity) this.#grow()
    return this.#used++
  }

  release(slot: number): void {
    this.state.set(slot, FREE)
    this.flags.set(slot, 0)
    this.touch(slot)
    this.#free.push(slot)
  }

  entry(slot: number): number {
    return this.stamp.get(slot) * ENTRY_UNIT + slot
  }

  slotOf(entry: number): number {
    return entry % ENTRY_UNIT
  }

  isCurrent(entry: number): boolean {
    const slot = entry % ENTRY_UNIT
    return this.stamp.get(slot) === (entry - slot) / ENTRY_UNIT
  }

  /** Makes every entry of this slot meaningless. */
  touch(slot: number): void {
    this.changed?.add(slot)
    this.stamp.set(slot, (this.stamp.get(slot) + 1) & STAMP_MASK)
  }

  /** Something of it is different, though its entries mean what they meant. */
  mark(slot: number): void {
    this.changed?.add(slot)
  }

  has(slot: number, flag: number): boolean {
    return (this.flags.get(slot) & flag) !== 0
  }

  raise(slot: number, flag: number): void {
    this.changed?.add(slot)
    this.flags.set(slot, this.flags.get(slot) | flag)
  }

  lower(slot: number, flag: number): void {
    this.changed?.add(slot)
    this.flags.set(slot, this.flags.get(slot) & ~flag)
  }

  /** What they say now, whatever is changed later; costs next to nothing until something is. */
  lend(): ColumnsLoan {
    return {
      used: this.#used,
      id: this.id.lend(),
      queue: this.queue.lend(),
      task: this.task.lend(),
      group: this.group.lend(),
      state: this.state.lend(),
      flags: this.flags.lend(),
      priority: this.priority.lend(),
      crashes: this.crashes.lend(),
      attempt: this.attempt.lend(),
      maxAttempts: this.maxAttempts.lend(),
      place: this.place.lend(),
      seq: this.seq.lend(),
      insertedAt: this.insertedAt.lend(),
      since: this.since.lend(),
    }
  }

  /** Makes room for slots below this, the new ones free; for filling in an image. */
  reserve(used: number): void {
    while (this.#capacity < used) this.#grow()
    for (let slot = this.#used; slot < used; slot++) this.state.set(slot, FREE)
    this.#used = used
  }

  /** After filling in: what stayed free may be taken. Yields, so that others may run between. */
  *collectFree(): Generator<void> {
    this.#free = []
    for (let slot = this.#used - 1; slot >= 0; slot--) {
      if (this.state.get(slot) === FREE) this.#free.push(slot)
      if (slot % SLOTS_AT_ONCE === 0) yield
    }
  }

  /** Forgets every slot and keeps the room, for who makes many small books one after another. */
  clear(): void {
    this.#used = 0
    this.#free = []
  }

  #all(): (Float64Column | Uint32Column | Uint8Column | QuadColumn)[] {
    return [
      ...[this.id, this.queue, this.task, this.group, this.attempt, this.maxAttempts],
      ...[this.stamp, this.state, this.flags, this.priority, this.crashes],
      ...[this.place, this.seq, this.insertedAt, this.since],
    ]
  }

  #grow(): void {
    for (const column of this.#all()) column.grow()
    this.#capacity += CHUNK_SLOTS
  }
}
