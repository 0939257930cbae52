/**
 * Putting pages into a target. Jobs that come after others which are not there yet are held back and
 * tried again; so the order in which a source tells them does not matter.
 */
import type { Loaded, Portable, PortableJob } from '../job/portable.js'
import type { Carrier } from './ends.js'

/** Children that wait for their parents to come: each is held in memory. */
const HELD_BACK = 100_000

export interface Refusal {
  readonly job: PortableJob
  readonly why: string
}

export class Taking {
  readonly #to: Carrier
  #heldBack: PortableJob[] = []
  loaded = 0
  present = 0
  readonly refused: Refusal[] = []

  constructor(to: Carrier) {
    this.#to = to
  }

  /** Answers those of the jobs that stand there now. */
  async take(items: readonly Portable[]): Promise<PortableJob[]> {
    if (items.length === 0) return []
    const answers = await this.#to.load(items)
    const there: PortableJob[] = []
    items.forEach((item, at) => {
      const answer = answers[at]
      if (item.kind !== 'job') return
      if (answer.status === 'loaded') this.loaded++
      if (answer.status === 'present') this.present++
      if (answer.status === 'loaded' || answer.status === 'present') there.push(item)
      if (answer.status === 'refused') this.refused.push({ job: item, why: whyOf(answer) })
      if (answer.status === 'deferred') this.#heldBack.push(item)
    })
    if (this.#heldBack.length > HELD_BACK) await this.settle()
    return there
  }

  /** Tries again what was held back, until no more of it comes in; answers what came. */
  async settle(): Promise<PortableJob[]> {
    const came: PortableJob[] = []
    for (let before = Infinity; this.#heldBack.length > 0 && this.#heldBack.length < before;) {
      before = this.#heldBack.length
      const tried = this.#heldBack
      this.#heldBack = []
      for (let at = 0; at < tried.length; at += LOT) {
        came.push(...(await this.take(tried.slice(at, at + LOT))))
      }
    }
    return came
  }

  /** Those whose parents have not come. */
  get heldBack(): readonly PortableJob[] {
    return this.#heldBack
  }
}

const LOT = 200

function whyOf(answer: Extract<Loaded, { status: 'refused' }>): string {
  if (answer.why === 'running') return 'it runs'
  return `job ${answer.by} has its unique key ${JSON.stringify(answer.key)} there`
}
