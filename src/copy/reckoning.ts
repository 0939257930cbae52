/**
 * Proof that two ends keep the same: of each queue, how many jobs are in which state, a digest of
 * all that is known of them, and one of their order. The first does not depend on the order in which
 * jobs are met, the second on nothing else. Receipts are only counted: they lapse while one looks.
 */
import { createHash } from 'node:crypto'
import { saidOf } from '../job/portable.js'
import type { PortableJob } from '../job/portable.js'

const BYTES = 16

export interface Tally {
  /** By state; what waits for its time or its turn counts as `pending`. */
  readonly states: Readonly<Record<string, number>>
  /** Hexadecimal. */
  readonly jobs: string
  readonly order: string
}

export class Reckoning {
  readonly #queues = new Map<string, Sum>()
  #total = 0

  /** Jobs in the order in which a dump tells them. */
  add(job: PortableJob): void {
    const sum = this.#queues.get(job.queue) ?? new Sum()
    this.#queues.set(job.queue, sum)
    sum.add(job)
    if (job.state !== 'receipt') this.#total++
  }

  /** Receipts not counted. */
  get total(): number {
    return this.#total
  }

  get queues(): readonly string[] {
    return [...this.#queues.keys()].sort()
  }

  of(queue: string): Tally {
    return (this.#queues.get(queue) ?? NOTHING).tally()
  }
}

/** The queues of which the two say different things, with what differs. */
export function differences(a: Reckoning, b: Reckoning): readonly string[] {
  return a.queues.flatMap((queue) => {
    const [here, there] = [a.of(queue), b.of(queue)]
    const counts = (tally: Tally): string => JSON.stringify(countable(tally))
    if (counts(here) !== counts(there)) {
      return [`${queue}: ${counts(here)} here, ${counts(there)} there`]
    }
    if (here.jobs !== there.jobs) return [`${queue}: the jobs are not the same`]
    if (here.order === there.order) return []
    return [`${queue}: the order is not the same; was somebody enqueueing? Copy to an empty place`]
  })
}

function countable({ states }: Tally): Record<string, number> {
  const { receipt: _, ...counted } = states
  return Object.fromEntries(Object.entries(counted).sort(([a], [b]) => (a < b ? -1 : 1)))
}

class Sum {
  readonly #states = new Map<string, number>()
  readonly #jobs = Buffer.alloc(BYTES)
  #order: Uint8Array = Buffer.alloc(BYTES)

  add(job: PortableJob): void {
    const state = stateOf(job)
    this.#states.set(state, (this.#states.get(state) ?? 0) + 1)
    if (state === 'receipt') return
    const digest = hash(canonical({ ...saidOf(job), state }))
    for (let at = 0; at < BYTES; at++) this.#jobs[at] ^= digest[at]
    // What waits for others comes in when these are there, and takes its place when they end.
    if (state === 'pending') this.#order = hash(`${hex(this.#order)} ${job.id}`)
  }

  tally(): Tally {
    return {
      states: Object.fromEntries(this.#states),
      jobs: hex(this.#jobs),
      order: hex(this.#order),
    }
  }
}

const NOTHING = new Sum()

/** Whether a job is due is told by the time and its due, and called so sooner or later. */
export function stateOf({ state }: Pick<PortableJob, 'state'>): string {
  return state === 'scheduled' || state === 'available' || state === 'retryable' ? 'pending' : state
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function hash(text: string): Uint8Array {
  return createHash('sha256').update(text).digest().subarray(0, BYTES)
}

/** JSON with its names in order: stores say them in orders of their own. */
function canonical(value: unknown): string {
  if (value === Infinity) return '"infinity"'
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  const entries = Object.entries(value).filter(([, one]) => one !== undefined)
  entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([name, one]) => `${JSON.stringify(name)}:${canonical(one)}`).join()}}`
}
