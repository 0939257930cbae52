/**
 * What is long, in memory: papers are the items themselves, or items made of what a letter says.
 */
import type { Encoded } from '../../job/codec.js'
import type { AttemptError, Step } from '../../job/job.js'
import type { Item, Paper, Shelf } from '../../job/book/extra.js'
import type { NewJob } from '../../job/lot.js'

export class MaildirShelf implements Shelf {
  readonly #jobs: (NewJob | undefined)[] = []
  readonly #newToken: () => number

  /** `newToken`: greater than every one before. */
  constructor(newToken: () => number) {
    this.#newToken = newToken
  }

  put(slot: number, filing: readonly Item[], item: number): void {
    this.set(slot, filing[item] as NewJob) // an insert's items are jobs
  }

  set(slot: number, job: NewJob): void {
    this.#jobs[slot] = job
  }

  share(from: number, to: number): void {
    this.#jobs[to] = this.#jobs[from]
  }

  drop(slot: number): void {
    this.#jobs[slot] = undefined
  }

  paper(filing: readonly Item[], item: number): Item {
    return filing[item]
  }

  jobs(slots: readonly number[]): readonly NewJob[] {
    return slots.map((slot) => this.#jobs[slot] as NewJob) // whoever asks shows jobs, not receipts
  }

  token(): number {
    return this.#newToken()
  }

  read(paper: Paper): Item {
    return paper as Item // it was made by `paper` or below
  }
}

// ── What items say ──────────────────────────────────────────────────────────────────────────────

export function itemError(item: Item): AttemptError | null {
  return 'ran' in item ? (item.ran?.error ?? null) : null
}

export function itemResult(item: Item): Encoded | null {
  return 'verdict' in item && item.verdict.kind === 'complete' ? item.verdict.result : null
}

export function itemLog(item: Item): readonly string[] {
  return 'log' in item ? item.log : []
}

export function itemStep(item: Item): Encoded | null {
  return 'log' in item ? (item.step?.value ?? null) : null
}

export function itemPayload(item: Item): Encoded | null {
  return 'action' in item && item.action === 'update' ? item.payload : null
}

// ── Items of what a letter says ─────────────────────────────────────────────────────────────────

const NOBODY = { queue: '', id: '', token: 0 }

export function resultItem(result: Encoded): Item {
  return { ...NOBODY, verdict: { kind: 'complete', result }, ran: null }
}

export function logItem(line: string): Item {
  return { ...NOBODY, progress: null, log: [line] }
}

export function stepItem(step: Step): Item {
  return { ...NOBODY, progress: null, log: [], step }
}
