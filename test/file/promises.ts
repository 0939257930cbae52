// What a store has promised to whoever called it, as the caller sees it, and whether a store that
// was recovered after a crash keeps it. It knows nothing of logs and frames: a job was answered to be
// there, a verdict was answered to hold. What was under way, or answered without a sync (claims and
// notes are), may be there or not; everything else must be as it was said.
import { expect } from 'vitest'
import { STATES } from '../../src/job/job.js'
import type { Found, JobRecord, JobRef } from '../../src/job/job.js'
import type { Store } from '../../src/store.js'

/** How a job can be found: in words, so that a failure says both sides. */
export type Situation = string

export const ABSENT: Situation = 'absent'

/** The states that time alone tells apart. */
const WAITS: ReadonlySet<string> = new Set(['scheduled', 'available', 'retryable'])

export function situationOf(found: Found | null): Situation {
  if (found === null) return ABSENT
  if (found.kind === 'job') return recordWords(found.job)
  const { state, movedTo } = found.receipt
  return `receipt ${state}${movedTo === null ? '' : ` → ${movedTo.queue}/${movedTo.id}`}`
}

function recordWords(job: JobRecord): Situation {
  const { state, attempt, payload, progress } = job
  const word = WAITS.has(state) ? 'waits' : state
  return `${word} ${attempt} ${payload.text}${progress === null ? '' : ` at ${progress}`}`
}

/** Something that was begun: its number, and how it is found when it takes effect. */
interface Begun {
  readonly number: number
  readonly words: string
}

interface Said {
  /** As it was last said, durably. */
  sure: string
  /** What has been begun since, in order. */
  maybe: Begun[]
}

interface Known extends Said {
  readonly ref: JobRef
}

interface KnownLot {
  readonly refs: readonly JobRef[]
}

export class Promises {
  readonly #jobs = new Map<string, Known>()
  readonly #lots: KnownLot[] = []
  readonly #settings = new Map<string, Said>()
  /** Keys, with all jobs that were ever inserted with them. */
  readonly #keys: { readonly queue: string; readonly ids: readonly string[] }[] = []
  #begun = 0

  /** From now on, if it takes effect, the job is found like this. */
  may(ref: JobRef, situation: Situation): void {
    const { queue, id } = ref
    const name = JSON.stringify([queue, id])
    const known = this.#jobs.get(name) ?? { ref: { queue, id }, sure: ABSENT, maybe: [] }
    known.maybe.push({ number: ++this.#begun, words: situation })
    this.#jobs.set(name, known)
  }

  mayLot(refs: readonly JobRef[]): void {
    this.#lots.push({ refs })
  }

  maySettings(queue: string, words: unknown): void {
    const known = this.#settings.get(queue) ?? { sure: 'unsaid', maybe: [] }
    known.maybe.push({ number: ++this.#begun, words: JSON.stringify(words) })
    this.#settings.set(queue, known)
  }

  /** Of these at most one is unfinished, ever. */
  key(queue: string, ids: readonly string[]): void {
    this.#keys.push({ queue, ids })
  }

  /** The number of what was begun last. */
  get begun(): number {
    return this.#begun
  }

  /** It was answered, durably, and with it all that was begun until then. */
  kept(until: number): void {
    for (const known of [...this.#jobs.values(), ...this.#settings.values()]) {
      const done = known.maybe.filter(({ number }) => number <= until)
      known.sure = done.at(-1)?.words ?? known.sure
      known.maybe = known.maybe.filter(({ number }) => number > until)
    }
  }

  /**
   * Who was at work is dead, and this one lives: what took effect stands now for all who live, and
   * what did not never will. A power cut may still undo it.
   */
  async look(store: Store): Promise<void> {
    const known = [...this.#jobs.values()]
    const found = await store.get(known.map(({ ref }) => ref))
    for (const [at, job] of known.entries()) {
      const words = general(situationOf(found[at]))
      const last = job.maybe.findLastIndex((one) => one.words === words)
      expect(last >= 0 || words === job.sure, `${nameOf(job.ref)}: ${words}`).toBe(true)
      job.maybe = job.maybe.slice(0, last + 1)
    }
  }

  /** How many jobs there are to speak of. */
  get size(): number {
    return this.#jobs.size
  }

  /** Reads only. */
  async check(store: Store): Promise<void> {
    const known = [...this.#jobs.values()]
    const found = await store.get(known.map(({ ref }) => ref))
    const situations = new Map<string, Situation>()
    for (const [at, { ref, sure, maybe }] of known.entries()) {
      const situation = situationOf(found[at])
      situations.set(`${ref.queue}/${ref.id}`, situation)
      expect(possible({ sure, maybe }), `${ref.queue}/${ref.id}`).toContain(general(situation))
    }
    this.#checkLots(situations)
    this.#checkKeys(situations)
    await this.#checkSettings(store)
    await this.#checkLists(store, situations)
  }

  #checkLots(situations: ReadonlyMap<string, Situation>): void {
    for (const { refs } of this.#lots) {
      const gone = refs.filter(({ queue, id }) => situations.get(`${queue}/${id}`) === ABSENT)
      expect([0, refs.length], 'a lot is all or none').toContain(gone.length)
    }
  }

  #checkKeys(situations: ReadonlyMap<string, Situation>): void {
    for (const { queue, ids } of this.#keys) {
      const holders = ids.filter((id) =>
        /^(waits|running)/.test(situations.get(`${queue}/${id}`) ?? ABSENT),
      )
      expect(holders.length, `holders of one key: ${holders.join()}`).toBeLessThanOrEqual(1)
    }
  }

  async #checkSettings(store: Store): Promise<void> {
    for (const [queue, { sure, maybe }] of this.#settings) {
      const { revision, declared, overrides } = await store.settings(queue)
      const words = revision === 0 ? 'unsaid' : JSON.stringify({ declared, overrides })
      expect(possible({ sure, maybe }), `settings of ${queue}`).toContain(words)
    }
  }

  /**
   * What lists and counts say is what asking one by one says, no job is in two places, and a dead
   * letter is in its grave exactly when its origin has left.
   */
  async #checkLists(store: Store, situations: ReadonlyMap<string, Situation>): Promise<void> {
    const { items: queues } = await store.queues({ limit: 100, cursor: null })
    const listed = new Map<string, JobRecord>()
    for (const { name, counts } of queues) {
      const page = { limit: 1_000, cursor: null }
      const { items } = await store.list({ queue: name, which: {}, page })
      const sum = STATES.reduce((total, state) => total + counts[state], 0)
      expect(items.length, `counts of ${name}`).toBe(sum)
      for (const job of items) {
        expect(listed.has(nameOf(job)), `${nameOf(job)} is listed once`).toBe(false)
        listed.set(nameOf(job), job)
      }
    }
    const moved = new Map<string, string>()
    for (const [ref, situation] of situations) {
      const [, target] = /^receipt discarded → (.+)$/.exec(situation) ?? []
      if (target !== undefined) moved.set(target, ref)
      const job = listed.get(ref)
      expect(job === undefined ? null : recordWords(job), `${ref}, listed`).toBe(
        /^(absent|receipt)/.test(situation) ? null : situation,
      )
    }
    for (const [target, ref] of moved) {
      const { origin } = listed.get(target) ?? { origin: null }
      expect(origin === null ? null : nameOf(origin), `the dead letter of ${ref}`).toBe(ref)
    }
    for (const [name, { origin }] of listed) {
      expect(situations.has(name) || moved.has(name), `${name} was put there`).toBe(true)
      if (origin !== null) expect(moved.get(name), `the origin of ${name}`).toBe(nameOf(origin))
    }
  }
}

function possible({ sure, maybe }: Said): string[] {
  return [sure, ...maybe.map(({ words }) => words)]
}

/** A dead letter that a sweep names has an id that nobody else can know. */
function general(situation: Situation): Situation {
  return situation.replace(/(→ .+\/)0[0-9A-Z]{25}$/, '$1*')
}

function nameOf({ queue, id }: JobRef): string {
  return `${queue}/${id}`
}
