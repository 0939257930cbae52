/** A shelf in memory: papers are the items themselves. */
import type { Item, Paper, Shelf } from '../../job/book/extra.js'
import type { NewJob } from '../../job/lot.js'

export class Drawer implements Shelf {
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
    return paper as Item // it was made by `paper`, or by whoever fills the drawer
  }
}
