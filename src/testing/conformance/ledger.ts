/**
 * The accounts of a random walk: what must be true of every job after every step, kept from the
 * store's own answers. Each answer is an entry, and each look at the whole store must agree with
 * the sum of them: nothing is lost, nothing is held twice, no attempt is miscounted, no token goes
 * back, and nothing changes but by an answer that said so. It knows no order of claims: that is
 * what comparing two stores is for.
 */
import assert from 'node:assert/strict'
import type { Claimed, TokenText } from '../../job/claim.js'
import type { Happening, JobRecord, JobRef, State } from '../../job/job.js'
import type { Inserted, NewJob } from '../../job/lot.js'
import type { Settled, Settlement } from '../../job/verdict.js'
import type { Beat, Swept } from '../../store.js'
import { isLater } from './tokens.js'

/** A state without what time alone changes. */
type Standing = 'waiting' | 'running' | 'completed' | 'cancelled' | 'discarded'

interface Hold {
  readonly node: string
  readonly claim: number
  readonly token: TokenText
  readonly maxAttempts: number
  /** A cancel was asked. */
  asked: boolean
  /** Its node said that this run is past its timeout. */
  overdue: boolean
}

interface Entry {
  readonly ref: JobRef
  standing: Standing
  attempt: number
  hold: Hold | null
  lastToken: TokenText | null
  /** It may have a unique key, which somebody else may have taken by now. */
  readonly isKeyed: boolean
}

function standingOf(state: State): Standing {
  switch (state) {
    case 'scheduled':
    case 'available':
    case 'retryable':
    case 'waiting':
      return 'waiting'
    case 'running':
    case 'completed':
    case 'cancelled':
    case 'discarded':
      return state
  }
}

/** What the verdicts that end a job make of it. */
const FINAL = { complete: 'completed', cancel: 'cancelled', discard: 'discarded' } as const

const keyOf = (ref: JobRef): string => JSON.stringify([ref.queue, ref.id])

export class Ledger {
  readonly #entries = new Map<string, Entry>()
  /** Jobs that came back from the dead letters, whose new ids only a look can tell, by queue. */
  readonly #expected = new Map<string, number>()
  /** Retries that somebody else's unique key may have refused, as only a look can tell. */
  #undecided: JobRecord[] = []

  get size(): number {
    return this.#entries.size
  }

  inserted(ref: JobRef, isKeyed: boolean): void {
    assert.ok(!this.#entries.has(keyOf(ref)), `${keyOf(ref)} was not there before`)
    this.#entries.set(keyOf(ref), {
      ref,
      standing: 'waiting',
      attempt: 0,
      hold: null,
      lastToken: null,
      isKeyed,
    })
  }

  /** A lot and its answers: all or none. */
  answered(jobs: readonly NewJob[], answers: readonly Inserted[]): void {
    const isRefused = answers.some(({ status }) => status === 'refused' || status === 'withdrawn')
    jobs.forEach((job, index) => {
      const answer = answers[index]
      const { status } = answer
      const isTaken = status === 'inserted' || status === 'replaced'
      assert.ok(!(isRefused && isTaken), 'a lot is all or none')
      if (status === 'inserted') this.inserted(job, job.unique !== null)
      if (status !== 'replaced') return
      const holder = this.#entry({ queue: job.queue, id: answer.id })
      assert.equal(holder.standing, 'waiting', `${answer.id} was waiting to be replaced`)
    })
  }

  claimed(node: string, claim: number, jobs: readonly Claimed[]): void {
    for (const job of jobs) {
      const entry = this.#entry(job)
      assert.equal(entry.standing, 'waiting', `${keyOf(job)} was free to be claimed`)
      assert.equal(job.attempt, entry.attempt + 1, `${keyOf(job)}: the next attempt`)
      assert.ok(job.attempt <= job.maxAttempts, `${keyOf(job)}: at most its attempts`)
      const { token, maxAttempts } = job
      if (entry.lastToken !== null) assert.ok(isLater(token, entry.lastToken), 'tokens grow')
      entry.lastToken = token
      entry.standing = 'running'
      entry.attempt = job.attempt
      entry.hold = { node, claim, token, maxAttempts, asked: false, overdue: false }
    }
  }

  /** A verdict and its answer. */
  settled({ verdict, token, ...ref }: Settlement, answer: Settled): void {
    const entry = this.#entries.get(keyOf(ref))
    const hold = entry?.hold ?? null
    const isLive = hold !== null && hold.token === token
    assert.equal(answer.status === 'done', isLive, `${keyOf(ref)}: only a live token counts`)
    if (answer.status === 'lost' || entry === undefined || hold === null) return
    const comesBack = ['retry', 'snooze', 'release'].includes(verdict.kind)
    if (verdict.kind === 'snooze' || verdict.kind === 'release') entry.attempt--
    if (comesBack && hold.asked) assert.equal(answer.state, 'cancelled')
    else if (verdict.kind === 'retry' && entry.attempt >= hold.maxAttempts) {
      assert.equal(answer.state, 'discarded')
    } else if (comesBack) assert.equal(standingOf(answer.state), 'waiting')
    else assert.equal(answer.state, FINAL[verdict.kind as keyof typeof FINAL]) // as: the others come back
    this.#moved(entry, answer.state, answer.deadLetter)
  }

  /** After a beat: what was lost on the way went back, attempts and all. */
  beaten({ node, upTo, open, overdue }: Beat): void {
    for (const entry of this.#heldBy(node)) {
      const { claim, token } = entry.hold
      entry.hold.overdue = overdue.includes(token)
      if (claim <= upTo && !open.includes(claim)) this.#gaveBack(entry)
    }
  }

  left(node: string): void {
    for (const entry of this.#heldBy(node)) this.#gaveBack(entry)
  }

  /** `mayLose`: whether this node was silent beyond its lease. */
  swept({ happened }: Swept, mayLose: (node: string) => boolean): void {
    const ended = new Set<string>()
    for (const one of happened) {
      if (ended.has(keyOf(one))) continue
      const entry = this.#entry(one)
      this.#mayHappen(one, entry, mayLose)
      this.#moved(entry, one.state, one.deadLetter)
      ended.add(keyOf(one))
    }
  }

  /** `chosen`: what the selector found just before. Answers how many must have changed, at least. */
  controlled(kind: 'cancel' | 'retry' | 'delete', chosen: readonly JobRecord[]): [number, number] {
    let least = 0
    let most = 0
    for (const job of chosen) {
      const entry = this.#entry(job)
      const did = this.#command(kind, entry, job)
      if (did === 'again') most++
      if (did === 'yes') [least, most] = [least + 1, most + 1]
    }
    return [least, most]
  }

  /** The whole store as it is seen now. */
  audit(jobs: readonly JobRecord[]): void {
    const seen = new Set<string>()
    this.#decide(jobs)
    for (const job of jobs) {
      const key = keyOf(job)
      assert.ok(!seen.has(key), `${key} is listed once`)
      seen.add(key)
      if (!this.#entries.has(key)) this.#adopt(job)
      const entry = this.#entry(job)
      assert.equal(standingOf(job.state), entry.standing, `${key} stands as the answers said`)
      assert.equal(job.worker !== null, entry.standing === 'running', `${key}: held while it runs`)
      const isLive = entry.standing === 'waiting' || entry.standing === 'running'
      if (isLive) assert.equal(job.attempt, entry.attempt, `${key}: attempts as the answers said`)
    }
    for (const key of this.#entries.keys()) assert.ok(seen.has(key), `${key} is still there`)
    for (const [queue, missing] of this.#expected) {
      assert.equal(missing, 0, `all that came back to ${queue} are there`)
    }
  }

  #command(kind: 'cancel' | 'retry' | 'delete', entry: Entry, job: JobRecord) {
    if (entry.hold !== null) {
      if (kind !== 'cancel') return 'no'
      const did = entry.hold.asked ? 'again' : 'yes'
      entry.hold.asked = true
      return did
    }
    switch (kind) {
      case 'cancel':
        if (entry.standing !== 'waiting') return 'no'
        entry.standing = 'cancelled'
        return 'yes'
      case 'delete':
        this.#entries.delete(keyOf(job))
        return 'yes'
      case 'retry':
        if (entry.isKeyed && (entry.standing !== 'waiting' || job.origin !== null)) {
          this.#undecided.push(job)
          return 'again'
        }
        this.#retried(entry, job)
        return 'yes'
    }
  }

  #retried(entry: Entry, job: JobRecord): void {
    entry.attempt = 0
    entry.standing = 'waiting'
    if (job.origin === null) return
    this.#entries.delete(keyOf(job))
    this.#expected.set(job.origin.queue, (this.#expected.get(job.origin.queue) ?? 0) + 1)
  }

  /** A retry took effect, or the job stands as before. */
  #decide(jobs: readonly JobRecord[]): void {
    if (this.#undecided.length === 0) return
    const seen = new Map(jobs.map((job) => [keyOf(job), standingOf(job.state)]))
    for (const job of this.#undecided) {
      const now = seen.get(keyOf(job))
      if (job.origin === null ? now === 'waiting' : now === undefined) {
        this.#retried(this.#entry(job), job)
      }
    }
    this.#undecided = []
  }

  #mayHappen(one: Happening, entry: Entry, mayLose: (node: string) => boolean): void {
    const name = `${keyOf(one)} ${one.kind}`
    if (one.kind === 'expired') {
      assert.equal(entry.standing, 'waiting', name)
      assert.ok(one.late >= 0, name)
      return
    }
    assert.ok(entry.hold !== null, `${name}: it was held`)
    if (one.kind === 'timeout') assert.ok(entry.hold.overdue, `${name}: it was overdue`)
    else assert.ok(mayLose(entry.hold.node), `${name}: its node was silent beyond its lease`)
    assert.equal(one.attempt, entry.attempt, name)
    if (one.state === 'cancelled') assert.ok(entry.hold.asked, name)
    if (one.state === 'discarded') assert.ok(entry.attempt >= entry.hold.maxAttempts, name)
  }

  #gaveBack(entry: Entry): void {
    entry.attempt--
    this.#moved(entry, entry.hold?.asked === true ? 'cancelled' : 'available', null)
  }

  /** A job left its holder, or its queue, for this state. */
  #moved(entry: Entry, state: State, deadLetter: JobRef | null): void {
    entry.hold = null
    entry.standing = standingOf(state)
    if (deadLetter === null) return
    assert.equal(state, 'discarded', 'only what is discarded becomes a dead letter')
    this.#entries.delete(keyOf(entry.ref))
    this.inserted({ queue: deadLetter.queue, id: deadLetter.id }, entry.isKeyed)
  }

  #adopt(job: JobRecord): void {
    const missing = this.#expected.get(job.queue) ?? 0
    assert.ok(missing > 0, `${keyOf(job)} did not come from nowhere`)
    this.#expected.set(job.queue, missing - 1)
    this.inserted({ queue: job.queue, id: job.id }, true)
  }

  #entry(ref: JobRef): Entry {
    const entry = this.#entries.get(keyOf(ref))
    assert.ok(entry !== undefined, `${keyOf(ref)} is known`)
    return entry
  }

  #heldBy(node: string): (Entry & { readonly hold: Hold })[] {
    const held = (entry: Entry): entry is Entry & { readonly hold: Hold } =>
      entry.hold !== null && entry.hold.node === node
    return [...this.#entries.values()].filter(held)
  }
}
