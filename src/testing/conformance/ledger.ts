/**
 * The accounts of a random walk: what must be true of every job after every step, kept from the
 * store's own answers. Each answer is an entry, and each look at the whole store must agree with
 * the sum of them: nothing is lost, nothing is held twice, no attempt is miscounted, no token goes
 * back, nothing changes but by an answer that said so, and nobody starts before those that it comes
 * after. It knows no order of claims: that is what comparing two stores is for.
 */
import assert from 'node:assert/strict'
import type { Claimed, TokenText } from '../../job/claim.js'
import type { Found, Happening, JobRecord, JobRef, ParentRow, State } from '../../job/job.js'
import type { Inserted, NewJob } from '../../job/lot.js'
import type { Settled, Settlement } from '../../job/verdict.js'
import type { Beat, Swept } from '../../store.js'
import { agree, believed, kinOf, outlookOf, settleKin, standingOf, stopWaiting } from './kinship.js'
import { unwaive, waive } from './kinship.js'
import type { Relative } from './kinship.js'
import { isLater } from './tokens.js'

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

interface Entry extends Relative {
  heir: Entry | null
  attempt: number
  hold: Hold | null
  lastToken: TokenText | null
  /** It may have a unique key, which somebody else may have taken by now. */
  readonly isKeyed: boolean
}

/** What the verdicts that end a job make of it. */
const FINAL = { complete: 'completed', cancel: 'cancelled', discard: 'discarded' } as const

const keyOf = (ref: JobRef): string => JSON.stringify([ref.queue, ref.id])

export class Ledger {
  /** What must be there now. */
  readonly #entries = new Map<string, Entry>()
  /** Who had a name last, whether it is there or not. */
  readonly #known = new Map<string, Entry>()
  /** What fell by a beat or a leave, of which nobody is told. */
  #untold: Entry[] = []

  get size(): number {
    return this.#entries.size
  }

  /** Those that come after others. */
  children(): JobRef[] {
    return [...this.#entries.values()].filter(({ kin }) => kin !== null).map(({ ref }) => ref)
  }

  inserted(ref: JobRef, isKeyed: boolean, isLetter = false): Entry {
    const key = keyOf(ref)
    assert.ok(!this.#entries.has(key), `${key} was not there before`)
    const { queue, id } = ref
    const entry: Entry = {
      ...{ ref: { queue, id }, isKeyed, isLetter },
      ...{ standing: 'waiting', attempt: 0, hold: null, lastToken: null },
      ...{ result: null, heir: null, kin: null },
    }
    this.#entries.set(key, entry)
    this.#known.set(key, entry)
    return entry
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
      if (status === 'refused' && answer.code === 'PARENT_UNKNOWN') {
        assert.ok(!this.#known.has(keyOf(answer.parent)), `${keyOf(answer.parent)} was never there`)
      }
      if (status !== 'replaced') return
      const holder = this.#entry({ queue: job.queue, id: answer.id })
      assert.equal(holder.standing, 'waiting', `${answer.id} was waiting to be replaced`)
    })
    this.#born(jobs, answers)
  }

  /** Those of a lot that come after others, by the names under which these stand. */
  #born(jobs: readonly NewJob[], answers: readonly Inserted[]): void {
    const actual = new Map<string, JobRef>()
    jobs.forEach(({ queue, id }, at) => {
      const answer = answers[at]
      if ('id' in answer && answer.id !== id) actual.set(keyOf({ queue, id }), { ...answer, queue })
    })
    for (const [at, job] of jobs.entries()) {
      if (job.after.length === 0 || answers[at].status !== 'inserted') continue
      const parents = job.after.map((ref) => actual.get(keyOf(ref)) ?? ref)
      this.#entry(job).kin = kinOf(
        job.onParentFailed,
        parents.map((ref) => this.#known.get(keyOf(ref)) ?? believed(ref)),
      )
    }
    const fallen = settleKin(this.#entries.values())
    for (const [at, job] of jobs.entries()) {
      const answer = answers[at]
      if (answer.status !== 'inserted') continue
      const entry = this.#entry(job)
      const falls = fallen.includes(entry)
      const state = falls ? 'discarded' : entry.kin?.waits === true ? 'waiting' : undefined
      assert.equal(answer.state, state, `${keyOf(job)} stands as its parents do`)
      if (falls) this.#moved(entry, 'discarded', answer.deadLetter ?? null)
    }
  }

  claimed(node: string, claim: number, jobs: readonly Claimed[]): void {
    for (const job of jobs) {
      const entry = this.#entry(job)
      assert.equal(entry.standing, 'waiting', `${keyOf(job)} was free to be claimed`)
      assert.ok(entry.kin?.waits !== true, `${keyOf(job)}: not before its parents`)
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

  /** Verdicts and their answers, and what these told beside. */
  settled(
    settle: readonly Settlement[],
    answers: readonly Settled[],
    happened: readonly Happening[],
  ): void {
    settle.forEach((one, at) => this.#settledOne(one, answers[at]))
    this.#fell(happened)
  }

  #settledOne({ verdict, token, ...ref }: Settlement, answer: Settled): void {
    const entry = this.#entries.get(keyOf(ref))
    const hold = entry?.hold ?? null
    const isLive = hold !== null && hold.token === token
    assert.equal(answer.status === 'done', isLive, `${keyOf(ref)}: only a live token counts`)
    if (answer.status === 'lost' || entry === undefined || hold === null) return
    if (verdict.kind === 'complete') entry.result = verdict.result
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
    this.#untold.push(...settleKin(this.#entries.values()))
  }

  left(node: string): void {
    for (const entry of this.#heldBy(node)) this.#gaveBack(entry)
    this.#untold.push(...settleKin(this.#entries.values()))
  }

  /** `mayLose`: whether this node was silent beyond its lease. */
  swept({ happened }: Swept, mayLose: (node: string) => boolean): void {
    const ended = new Set<string>()
    for (const one of happened) {
      if (one.kind === 'parent-failed' || ended.has(keyOf(one))) continue
      const entry = this.#entry(one)
      this.#mayHappen(one, entry, mayLose)
      this.#moved(entry, one.state, one.deadLetter)
      ended.add(keyOf(one))
    }
    this.#fell(happened)
  }

  /**
   * `chosen`: what the selector found just before, `found`: what became of each, `happened`: what the
   * command told. Answers how many must have changed.
   */
  controlled(
    kind: 'cancel' | 'retry' | 'delete',
    chosen: readonly JobRecord[],
    found: readonly (Found | null)[],
    happened: readonly Happening[],
  ): number {
    const changed = chosen.filter((job, at) => this.#command(kind, this.#entry(job), found[at]))
    this.#fell(happened)
    return changed.length
  }

  /** The whole store as it is seen now. */
  audit(jobs: readonly JobRecord[]): void {
    const seen = new Set<string>()
    this.#adopt(jobs)
    for (const job of jobs) {
      const key = keyOf(job)
      assert.ok(!seen.has(key), `${key} is listed once`)
      seen.add(key)
      const entry = this.#entry(job)
      assert.equal(standingOf(job.state), entry.standing, `${key} stands as the answers said`)
      const isKept = entry.kin?.waits === true
      assert.equal(job.state === 'waiting', isKept, `${key} waits for its parents, or does not`)
      assert.equal(job.worker !== null, entry.standing === 'running', `${key}: held while it runs`)
      const isLive = entry.standing === 'waiting' || entry.standing === 'running'
      if (isLive) assert.equal(job.attempt, entry.attempt, `${key}: attempts as the answers said`)
    }
    for (const key of this.#entries.keys()) assert.ok(seen.has(key), `${key} is still there`)
  }

  /** A child, and what the store tells of its parents. */
  auditParents(child: JobRef, rows: readonly ParentRow[] | null): void {
    agree(rows, this.#entry(child))
  }

  /** Whether it changes anything. */
  #command(kind: 'cancel' | 'retry' | 'delete', entry: Entry, found: Found | null): boolean {
    if (entry.hold !== null) {
      const isNew = kind === 'cancel' && !entry.hold.asked
      if (isNew) entry.hold.asked = true
      return isNew
    }
    switch (kind) {
      case 'cancel':
        if (entry.standing !== 'waiting') return false
        entry.standing = 'cancelled'
        stopWaiting(entry)
        return true
      case 'delete':
        if (entry.standing === 'waiting') entry.standing = 'cancelled'
        this.#entries.delete(keyOf(entry.ref))
        return true
      case 'retry':
        return this.#retried(entry, found)
    }
  }

  /** Somebody else's unique key may have refused it, as only a look can tell. */
  #retried(entry: Entry, found: Found | null): boolean {
    const key = keyOf(entry.ref)
    if (entry.kin?.waits === true) {
      if (outlookOf(entry.kin) !== 'stuck') return false
      waive(entry)
      return true
    }
    const copy = found?.kind === 'receipt' ? found.receipt.movedTo : null
    const isBack = copy !== null || (found?.kind === 'job' && found.job.finishedAt === null)
    if (!entry.isLetter && entry.standing === 'waiting') assert.ok(isBack, `${key} stays`)
    else if (entry.isLetter ? copy === null : !isBack) {
      assert.ok(entry.isKeyed, `${key}: nobody else has its key`)
      return false
    }
    unwaive(entry, this.#entries.values())
    if (entry.standing !== 'waiting') waive(entry)
    entry.attempt = 0
    entry.standing = 'waiting'
    if (copy === null) return true
    this.#entries.delete(key)
    entry.heir = this.inserted(copy, entry.isKeyed)
    return true
  }

  /** Dead letters of what fell and nobody was told of. */
  #adopt(jobs: readonly JobRecord[]): void {
    const letters = jobs.filter((job) => job.origin !== null && !this.#entries.has(keyOf(job)))
    for (const entry of this.#untold) {
      const letter = letters.find(({ origin }) => origin && keyOf(origin) === keyOf(entry.ref))
      if (letter !== undefined) this.#moved(entry, 'discarded', letter)
    }
    this.#untold = []
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

  /** Exactly what fell with its parents was told so, and where it went. */
  #fell(happened: readonly Happening[]): void {
    const fallen = settleKin(this.#entries.values())
    const told = happened.filter(({ kind }) => kind === 'parent-failed')
    const names = fallen.map(({ ref }) => keyOf(ref)).sort()
    assert.deepEqual(told.map(keyOf).sort(), names, 'what falls is told')
    for (const one of told) {
      const entry = this.#entry(one)
      assert.equal(one.attempt, entry.attempt, `${keyOf(one)}: attempts of what fell`)
      this.#moved(entry, one.state, one.deadLetter)
    }
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
    entry.heir = this.inserted(deadLetter, entry.isKeyed, true)
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
