/**
 * A book made of letters and papers. What follows from them (queues, keys that are held, counts,
 * who comes after whom, timers) is in no file.
 */
import { packId } from '../../job/id.js'
import type { Instant, Millis } from '../../job/job.js'
import { NEVER_SAID } from '../../job/effective.js'
import { HAS_EXTRA, HOLDS, ODD_ID, RECEIPT, RUNNING } from '../../job/book/columns.js'
import type { Extra } from '../../job/book/extra.js'
import { Restorer } from '../../job/book/image.js'
import type { ImageKey, ImageNode, ImageQueue, ImageState } from '../../job/book/image.js'
import type { Ledger } from '../../job/book/ledger.js'
import type { Hold } from '../../job/book/register.js'
import type { Holders } from './holders.js'
import type { HoldWords } from './letter-name.js'
import type { Letter } from './letter-read.js'
import type { Drawer } from '../book/drawer.js'
import type { PaperWords } from './papers.js'

/** A letter where it lies. */
export interface FoundLetter {
  readonly path: string
  readonly letter: Letter
  /** When, by the wall's clock. */
  readonly written: Instant
  /** Who holds it, if it lies in `cur`. */
  readonly hold: HoldWords | null
  /** Somebody changed what it says, or moved it out of where finals lie. */
  readonly isEdited: boolean
  readonly isRetry: boolean
}

/** What papers say, by kind. */
export type FoundPapers = {
  readonly [K in keyof PaperWords]: PaperWords[K][]
}

export interface RestoreInto {
  readonly ledger: Ledger
  readonly shelf: Drawer
  readonly holders: Holders
  readonly now: Millis
  readonly wallOffset: Millis
  readonly pause: () => Promise<void>
}

/** Letters are entered in the order of their insertion; the slot of each is its place here. */
export async function restore(
  letters: readonly FoundLetter[],
  papers: FoundPapers,
  into: RestoreInto,
): Promise<void> {
  const { ledger, shelf, pause } = into
  const numbers = new Numbering(letters, papers)
  const restorer = new Restorer(ledger, imageState(letters, papers, numbers, into))
  ledger.columns.reserve(letters.length)
  const extras: [number, Extra, Letter][] = []
  for (let slot = 0; slot < letters.length; slot++) {
    const { letter, hold } = letters[slot]
    fillRow(ledger, slot, letter, hold, numbers)
    if ((ledger.columns.flags.get(slot) & ODD_ID) !== 0) restorer.odd(slot, letter.id)
    restorer.enter(slot)
    if (letter.job !== null) shelf.set(slot, letter.job)
    if (letter.extra !== null) extras.push([slot, letter.extra, letter])
    if (slot % ROWS_AT_ONCE === ROWS_AT_ONCE - 1) await pause()
  }
  for (const [slot, extra, letter] of extras) {
    extra.kin?.parents.forEach((row, at) => {
      const ref = letter.at[at]
      if (ref !== null && extra.kin !== null) {
        extra.kin.parents[at] = { ...row, slot: ledger.find(ref) }
      }
    })
    restorer.extra(slot, extra)
  }
  for (const _ of restorer.finish(Uint32Array.from(letters.keys()))) await pause()
  for (const _ of ledger.columns.collectFree()) await pause()
}

/** Rows that are filled in before others get their turn. */
const ROWS_AT_ONCE = 1_024

function fillRow(
  { columns }: Ledger,
  slot: number,
  letter: Letter,
  hold: HoldWords | null,
  numbers: Numbering,
): void {
  const { book } = letter
  const isRunning = hold !== null
  const isPacked = packId(letter.id, columns.id.ownChunk(slot), columns.id.at(slot))
  let flags = (book.flags ?? 0) & ~(HAS_EXTRA | ODD_ID)
  if (isRunning) flags |= HOLDS
  if (!isPacked) flags |= ODD_ID
  if (letter.extra !== null) flags |= HAS_EXTRA
  columns.queue.set(slot, numbers.queue(letter.queue))
  columns.task.set(slot, numbers.task(letter.task))
  columns.group.set(slot, numbers.group(letter.group))
  columns.state.set(slot, isRunning ? RUNNING : letter.state)
  columns.flags.set(slot, flags)
  columns.priority.set(slot, letter.priority + 100)
  columns.crashes.set(slot, book.crashes ?? 0)
  columns.attempt.set(slot, letter.attempts + (isRunning ? 1 : 0))
  if (letter.maxAttempts !== null) columns.maxAttempts.set(slot, letter.maxAttempts)
  columns.place.set(slot, book.place)
  columns.seq.set(slot, book.seq)
  columns.insertedAt.set(slot, book.inserted)
  columns.since.set(slot, isRunning ? hold.token / TOKENS_PER_MS : (book.since ?? 0))
}

/** Tokens are store time in microseconds, so a hold tells when it began. */
export const TOKENS_PER_MS = 1_000

function imageState(
  letters: readonly FoundLetter[],
  papers: FoundPapers,
  numbers: Numbering,
  { now, wallOffset, holders }: RestoreInto,
): ImageState {
  const holds: [number, Hold][] = []
  letters.forEach(({ hold }, slot) => {
    if (hold === null) return
    const { node, worker } = holders.find(hold.holder) ?? { node: LOST, worker: '' }
    holds.push([slot, { token: hold.token, claim: hold.claim, node, worker }])
  })
  const nodes = papers.nodes.flatMap((paper) => paper.nodes)
  const busy = new Set(holds.map(([, { node }]) => node))
  const known = new Set(nodes.map(({ card }) => card.node))
  const orphaned = busy.has(LOST) && !known.has(LOST)
  return {
    ...{ now, wallOffset, holds },
    seqs: letters.reduce((most, { letter }) => Math.max(most, letter.book.seq), 0),
    queues: numbers.queues(letters, papers),
    tasks: numbers.tasks(),
    groups: numbers.groups(),
    nodes: [
      ...nodes
        .filter(({ card, gone }) => !gone || busy.has(card.node))
        .map((words): [string, ImageNode] => [words.card.node, nodeOf(words, now)]),
      ...(orphaned ? [[LOST, nodeOf(LOST_NODE, now)] as [string, ImageNode]] : []), // as: a pair
    ],
    settled: [],
    windows: papers.rate.flatMap(({ name, window }) => (window === null ? [] : [[name, window]])),
    throttles: papers.rate.flatMap(({ name, restUntil }) =>
      restUntil === null ? [] : [[name, restUntil]],
    ),
    paused: papers.pause.at(0)?.paused ?? null,
    retired: papers.retired.flatMap(({ retired }) => retired),
  }
}

/** Who held a job of which the paper of nodes says nothing: it is gone already. */
const LOST = 'unknown'
const LOST_NODE = {
  card: { node: LOST, host: '', pid: 0, lease: 0, workers: [], proof: null },
  startedAt: 0,
  gone: true,
}

function nodeOf(
  { card, startedAt, gone }: PaperWords['nodes']['nodes'][number],
  now: Millis,
): ImageNode {
  return { card, startedAt, gone, beats: 0, lastBeat: now, overdue: [] }
}

/** Numbers of names, as an image has them. */
class Numbering {
  readonly #queues = new Map<string, number>()
  readonly #tasks = new Map<string, number>()
  readonly #groups = new Map<string, number>()

  constructor(letters: readonly FoundLetter[], papers: FoundPapers) {
    for (const { letter } of letters) {
      this.queue(letter.queue)
      this.task(letter.task)
      this.group(letter.group)
    }
    for (const { queue } of papers.settings) this.queue(queue)
    for (const { queue } of papers.pauses) this.queue(queue)
    for (const { queue } of papers.schedule) this.queue(queue)
    for (const { queue } of papers.key) this.queue(queue)
  }

  queue(name: string): number {
    return number(this.#queues, name)
  }

  task(name: string): number {
    return number(this.#tasks, name)
  }

  group(name: string): number {
    return number(this.#groups, name)
  }

  tasks(): [number, string][] {
    return [...this.#tasks].map(([name, at]) => [at, name])
  }

  groups(): [number, string][] {
    return [...this.#groups].map(([name, at]) => [at, name])
  }

  queues(letters: readonly FoundLetter[], papers: FoundPapers): [number, ImageQueue][] {
    const keys = heldKeys(letters, papers)
    return [...this.#queues].map(([name, at]) => {
      const isOf = (paper: { readonly queue: string }): boolean => paper.queue === name
      const pauses = papers.pauses.find(isOf)
      const queue: ImageQueue = {
        ...{ name, version: 0, keys: [...(keys.get(name) ?? [])] },
        stored: papers.settings.find(isOf)?.stored ?? NEVER_SAID,
        paused: pauses?.paused ?? null,
        transit: pauses?.transit ?? null,
        pausedGroups: (pauses?.groups ?? []).map(([group, pause]) => [group, pause]),
        schedules: papers.schedule.filter(isOf).map(({ schedule }) => schedule),
      }
      return [at, queue]
    })
  }
}

/** By queue: who holds a key now, and periods that run on without a job. */
function heldKeys(
  letters: readonly FoundLetter[],
  papers: FoundPapers,
): Map<string, Map<string, ImageKey>> {
  const keys = new Map<string, Map<string, ImageKey>>()
  const of = (queue: string): Map<string, ImageKey> => {
    const known = keys.get(queue) ?? new Map<string, ImageKey>()
    keys.set(queue, known)
    return known
  }
  for (const { queue, key, hold } of papers.key) of(queue).set(key, { ...hold, slot: -1 })
  letters.forEach(({ letter, hold }, slot) => {
    const key = letter.extra?.key ?? null
    if (key === null || letter.keyUntil === null || letter.state === RECEIPT) return
    // A claim changes the name alone: one that was held while waiting is free since then.
    if (hold !== null && key.while === 'waiting') return
    const { id, queue } = letter
    of(queue).set(key.name, { slot, id, while: key.while, until: letter.keyUntil })
  })
  return keys
}

function number(numbers: Map<string, number>, name: string): number {
  const known = numbers.get(name)
  if (known !== undefined) return known
  numbers.set(name, numbers.size)
  return numbers.size - 1
}
