/**
 * A store made of a book: what memory, file and maildir have in common. The verbs of the seam
 * become frames, frames are committed to a medium, and what the book answers is answered. What a
 * medium is (nothing, a log, a folder of letters), when something is durable and who is alive, is
 * its own affair, behind the port `Medium`.
 */
import type { ClaimAnswer, ClaimAsk } from '../job/claim.js'
import { CLAIM_TRIES, CONTROL_JOBS } from '../job/defaults.js'
import { NEVER_SAID, effective } from '../job/effective.js'
import { millraceError } from '../job/errors.js'
import type { Found, Happening, JobRecord, JobRef, Millis } from '../job/job.js'
import type { Inserted, Lot, NewJob } from '../job/lot.js'
import type { PageAsk, Paged } from '../job/selector.js'
import type { SettingsLayer, StoredSettings } from '../job/settings.js'
import type { Note, Noted, Settled } from '../job/verdict.js'
import type { Answers, Book, FrameOf } from '../job/book/book.js'
import { decideClaim, nextIn } from '../job/book/decide-claim.js'
import { decideSweep } from '../job/book/decide-sweep.js'
import type { Liveness } from '../job/book/decide-sweep.js'
import type { Card, ControlItem, Frame } from '../job/book/frame.js'
import { CANCEL_ASKED } from '../job/book/columns.js'
import { NEWS_CONTROL, NEWS_ENDS, NEWS_JOBS } from '../job/book/ledger.js'
import type { Ledger } from '../job/book/ledger.js'
import { NOTHING, count, counts, list, select } from '../job/book/select.js'
import { claimed, find, isFrugal } from '../job/book/views.js'
import type {
  Beat,
  BeatAnswer,
  BeatRecipe,
  CheckAsk,
  Checked,
  Command,
  Controlled,
  CountAsk,
  ExchangeAsk,
  Exchanged,
  Hint,
  ListAsk,
  NodeCard,
  NodeRow,
  OpenAsk,
  OverrideChange,
  QueueRow,
  Store,
  SweepAsk,
  Swept,
  Traits,
} from '../store.js'

/** What changed, by queue, as bits of `NEWS_*`. */
export type News = ReadonlyMap<string, number>

/** What keeps the frames. All but `open`, `close` and `durable` is synchronous. */
export interface Medium {
  readonly traits: Traits
  readonly book: Book
  /** News is told after the call that brought it, never within. */
  open(scope: string, onNews: (news: News) => void): Promise<void>
  close(): Promise<void>
  /** The store's time now. */
  now(): Millis
  /** Brings the book up to what others committed. */
  refresh(): void
  /** Puts a frame behind all others and applies it, others' before it included. */
  commit<K extends Frame['kind']>(frame: FrameOf[K] & { readonly kind: K }): Answers[K]
  /** All that was committed or seen until now is as durable as the traits say. */
  durable(): Promise<void>
  liveness(card: Card): Liveness
  proof(): string | null
  beatRecipe(): BeatRecipe | null
}

const UNSAID = effective(NEVER_SAID)

export class BookStore<S extends string> implements Store<S> {
  readonly name: S
  readonly #medium: Medium
  readonly #watchers = new Set<(hint: Hint) => void>()
  #state: 'new' | 'open' | 'closed' = 'new'
  #opening: Promise<void> | null = null

  constructor(name: S, medium: Medium) {
    this.name = name
    this.#medium = medium
  }

  get traits(): Traits {
    return this.#medium.traits
  }

  async open(ask: OpenAsk): Promise<void> {
    if (this.#state === 'closed') throw closed(this.name)
    this.#opening ??= this.#medium.open(ask.scope, (news) => this.#tell(news))
    try {
      await this.#opening
    } catch (error) {
      this.#opening = null
      throw error
    }
    this.#state = 'open'
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return
    const wasOpen = this.#state === 'open'
    this.#state = 'closed'
    this.#watchers.clear()
    if (wasOpen) await this.#medium.close()
  }

  async insert(lots: readonly Lot[]): Promise<readonly (readonly Inserted[])[]> {
    this.#check()
    const { ledger } = this.#medium.book
    const tooLarge = lots.map((lot) => oversized(ledger, lot.jobs))
    const items: NewJob[] = []
    const sizes: number[] = []
    lots.forEach((lot, at) => {
      if (tooLarge[at] !== null) return
      for (const job of lot.jobs) items.push(job)
      sizes.push(lot.jobs.length)
    })
    if (items.length === 0) return lots.map((_, at) => tooLarge[at] ?? [])
    const answers = this.#commit({ kind: 'insert', lots: sizes, items })
    await this.#medium.durable()
    if (lots.length === 1) return [answers]
    let from = 0
    return lots.map(({ jobs }, at) => tooLarge[at] ?? answers.slice(from, (from += jobs.length)))
  }

  async exchange(ask: ExchangeAsk): Promise<Exchanged> {
    this.#check()
    const settled = this.#settle(ask)
    const claims = this.#claim(ask)
    if (ask.settle.length > 0 || claims.mustLast) await this.#medium.durable()
    return { settled, claimed: claims.answers }
  }

  #settle(ask: ExchangeAsk): readonly Settled[] {
    if (ask.settle.length === 0) return []
    const items = ask.settle.map(({ queue, id, token, verdict, ran }) => {
      return { queue, id, token: Number(token), verdict, ran }
    })
    return this.#commit({ kind: 'settle', items })
  }

  /** Decides and commits until something was given, nothing is there, or others were too fast. */
  #claim(ask: ExchangeAsk): { answers: readonly ClaimAnswer[]; mustLast: boolean } {
    if (ask.claim.length === 0) return { answers: [], mustLast: false }
    const { ledger } = this.#medium.book
    const given = ask.claim.map(() => ({ slots: [] as number[], tokens: [] as number[] }))
    let wanted: readonly ClaimAsk[] = ask.claim
    for (let tries = 0; tries < CLAIM_TRIES; tries++) {
      this.#medium.refresh()
      const proposal = decideClaim(ledger, ask.node, wanted, this.#medium.now())
      if (proposal.frame === null) break
      const tokens = this.#commitClaim(proposal)
      if (tokens !== null) this.#collect(proposal, tokens, given)
      wanted = ask.claim.map((one, at) => remaining(one, given[at].slots.length))
      if (wanted.every((one) => one.limit === 0)) break
      if (tokens !== null && tokens.every((token) => token > 0)) break
    }
    const now = this.#medium.now()
    const answers = ask.claim.map((one, at) => this.#answer(one, given[at], now))
    const mustLast = answers.some(
      (answer) => answer.jobs.length > 0 && answer.settings.delivery === 'at-most-once',
    )
    return { answers, mustLast }
  }

  #commitClaim(proposal: ReturnType<typeof decideClaim>): Float64Array | null {
    if (proposal.frame === null) return null
    try {
      const tokens = this.#commit(proposal.frame)
      proposal.undo()
      return tokens
    } catch (error) {
      proposal.undo()
      throw error
    }
  }

  #collect(
    proposal: ReturnType<typeof decideClaim>,
    tokens: Float64Array,
    given: readonly { readonly slots: number[]; readonly tokens: number[] }[],
  ): void {
    let at = 0
    proposal.frame?.asks.forEach((part, index) => {
      for (const to = at + part.count; at < to; at++) {
        if (tokens[at] === 0) continue
        given[index].slots.push(proposal.slots[at])
        given[index].tokens.push(tokens[at])
      }
    })
  }

  #answer(
    ask: ClaimAsk,
    given: { readonly slots: readonly number[]; readonly tokens: readonly number[] },
    now: Millis,
  ): ClaimAnswer {
    const { ledger } = this.#medium.book
    const settings = ledger.findQueue(ask.queue)?.settings ?? UNSAID
    return {
      jobs: given.slots.length === 0 ? [] : claimed(ledger, given.slots, given.tokens, now),
      nextIn: nextIn(ledger, ask, now),
      frugal: isFrugal(settings),
      settings,
    }
  }

  async note(notes: readonly Note[]): Promise<readonly Noted[]> {
    this.#check()
    if (notes.length === 0) return []
    const items = notes.map((note) => ({ ...note, token: Number(note.token) }))
    return this.#commit({ kind: 'note', items })
  }

  async enlist(card: NodeCard): Promise<void> {
    this.#check()
    this.#commit({ kind: 'hello', card: { ...card, proof: this.#medium.proof() } })
  }

  async leave(node: string): Promise<void> {
    this.#check()
    this.#commit({ kind: 'leave', node })
    await this.#medium.durable()
  }

  async beat(beat: Beat): Promise<BeatAnswer> {
    this.#check()
    const { node, upTo, open } = beat
    const overdue = beat.overdue.map(Number)
    return { gone: !this.#commit({ kind: 'beat', node, upTo, open, overdue }) }
  }

  async check(ask: CheckAsk): Promise<Checked> {
    this.#check()
    this.#medium.refresh()
    const { ledger } = this.#medium.book
    const node = ledger.nodes.get(ask.node)
    const lost: string[] = []
    const cancelling: string[] = []
    for (const held of ask.held) {
      const slot = ledger.find(held)
      const isHeld = slot >= 0 && ledger.holds.get(slot)?.token === Number(held.token)
      if (!isHeld) lost.push(held.token)
      else if (ledger.columns.has(slot, CANCEL_ASKED)) cancelling.push(held.token)
    }
    return { gone: node === undefined || node.gone, lost, cancelling }
  }

  beatRecipe(): BeatRecipe | null {
    return this.#medium.beatRecipe()
  }

  async sweep(ask: SweepAsk): Promise<Swept> {
    this.#check()
    this.#medium.refresh()
    const medium = this.#medium
    const proposal = decideSweep(medium.book.ledger, {
      self: ask.node,
      now: medium.now(),
      limit: ask.limit,
      liveness: (card) => medium.liveness(card),
    })
    const happened: Happening[] = []
    let pruned = 0
    try {
      for (const frame of proposal.frames) {
        if (frame.kind === 'drop') pruned += this.#commit(frame)
        else happened.push(...this.#commit(frame).happened)
      }
    } catch (error) {
      proposal.undo()
      throw error
    }
    if (proposal.frames.length > 0) await medium.durable()
    return {
      freed: happened.filter(({ kind }) => kind === 'lost' || kind === 'timeout').length,
      expired: happened.filter(({ kind }) => kind === 'expired').length,
      discarded: happened.filter(({ state }) => state === 'discarded').length,
      pruned,
      more: proposal.more,
      happened,
      lostNodes: proposal.lost,
    }
  }

  async get(refs: readonly JobRef[]): Promise<readonly (Found | null)[]> {
    const { ledger } = this.#look()
    const now = this.#medium.now()
    return refs.map((ref) => {
      const queue = ledger.findQueue(ref.queue)
      if (queue !== undefined) ledger.advance(queue, now)
      return find(ledger, ledger.find(ref))
    })
  }

  async list(ask: ListAsk): Promise<Paged<JobRecord>> {
    const { ledger } = this.#look()
    const queue = ledger.findQueue(ask.queue)
    if (queue === undefined) return { items: [], cursor: null }
    return list(ledger, queue, ask.which, ask.page, this.#medium.now())
  }

  async count(ask: CountAsk): ReturnType<Store['count']> {
    const { ledger } = this.#look()
    const queue = ledger.findQueue(ask.queue)
    if (queue === undefined) return { counts: NOTHING, cursor: null }
    return count(ledger, queue, ask.which, ask.cursor, this.#medium.now())
  }

  async queues(page: PageAsk): Promise<Paged<QueueRow>> {
    const { ledger } = this.#look()
    const now = this.#medium.now()
    const names = [...ledger.queues.values()].map(({ name }) => name)
    return paged(names, page, (name) => {
      const queue = ledger.queue(name)
      ledger.advance(queue, now)
      let workers = 0
      for (const { card, gone } of ledger.nodes.values()) {
        if (!gone) workers += card.workers.filter((one) => one.queue === name).length
      }
      const oldest = queue.oldestDue()
      const oldestDue = oldest === null ? null : oldest + ledger.wallOffset
      return { name, counts: counts(queue), workers, oldestDue }
    })
  }

  async nodes(page: PageAsk): Promise<Paged<NodeRow>> {
    const { ledger } = this.#look()
    const now = this.#medium.now()
    const { liveness } = this.#medium
    return paged([...ledger.nodes.keys()], page, (name) => {
      // The name was taken from the same map, and nothing has run in between.
      const node = ledger.nodes.get(name) as NonNullable<ReturnType<typeof ledger.nodes.get>>
      const held = new Map<string, number>()
      for (const hold of ledger.holds.values()) {
        if (hold.node === name) held.set(hold.worker, (held.get(hold.worker) ?? 0) + 1)
      }
      const isLost = node.gone || liveness.call(this.#medium, node.card) === 'dead'
      const beatAgo = Math.max(0, now - node.lastBeat)
      const { proof: _, ...card } = node.card
      return {
        ...card,
        startedAt: node.startedAt + ledger.wallOffset,
        beatAgo,
        lost: isLost || (node.holds > 0 && beatAgo > node.card.lease),
        running: node.card.workers.map(({ worker }) => held.get(worker) ?? 0),
      }
    })
  }

  async control(command: Command, cursor: string | null): Promise<Controlled> {
    this.#look()
    const step = this.#step(command, cursor)
    if (step.items.length === 0) return { changed: 0, cursor: step.cursor, happened: [] }
    const { changed, happened } = this.#commit({ kind: 'control', items: step.items })
    await this.#medium.durable()
    return { changed, happened, cursor: step.cursor }
  }

  #step(command: Command, cursor: string | null): { items: ControlItem[]; cursor: string | null } {
    const { ledger } = this.#medium.book
    const queue = ledger.findQueue(command.queue)
    if (queue === undefined) return { items: [], cursor: null }
    if (command.kind === 'update') {
      const { payload, priority, delay, at } = command.change
      const change = {
        payload: payload ?? null,
        priority: priority ?? null,
        delay: delay ?? null,
        at: at ?? null,
      }
      const { id } = command
      return { items: [{ queue: queue.name, id, action: 'update', ...change }], cursor: null }
    }
    const page = { limit: CONTROL_JOBS, cursor }
    const found = select(ledger, queue, command.which, page, this.#medium.now())
    const items = found.slots.map((slot): ControlItem => {
      const ref = { queue: queue.name, id: ledger.ids.text(slot) }
      if (command.kind !== 'cancel') return { ...ref, action: command.kind }
      return { ...ref, action: 'cancel', reason: command.reason }
    })
    return { items, cursor: found.cursor }
  }

  async settings(queue: string): Promise<StoredSettings> {
    return this.#look().ledger.findQueue(queue)?.stored ?? NEVER_SAID
  }

  async declare(queue: string, declared: SettingsLayer): Promise<StoredSettings> {
    return this.#say(queue, 'declared', () => declared)
  }

  async override(queue: string, change: OverrideChange): Promise<StoredSettings> {
    return this.#say(queue, 'overrides', ({ overrides }) => overridden(overrides, change))
  }

  async #say(
    queue: string,
    layer: 'declared' | 'overrides',
    settings: (stored: StoredSettings) => SettingsLayer,
  ): Promise<StoredSettings> {
    for (;;) {
      const stored = this.#look().ledger.findQueue(queue)?.stored ?? NEVER_SAID
      const wanted = settings(stored)
      if (sameLayer(stored[layer], wanted)) {
        await this.#medium.durable()
        return stored
      }
      const revision = stored.revision + 1
      const said = this.#commit({ kind: 'settings', queue, revision, layer, settings: wanted })
      if (said === null) continue
      await this.#medium.durable()
      return said
    }
  }

  watch(onHint: (hint: Hint) => void): () => void {
    this.#watchers.add(onHint)
    return () => this.#watchers.delete(onHint)
  }

  #look(): Book {
    this.#check()
    this.#medium.refresh()
    return this.#medium.book
  }

  #check(): void {
    if (this.#state !== 'open') throw closed(this.name)
  }

  #commit<K extends Frame['kind']>(frame: FrameOf[K] & { readonly kind: K }): Answers[K] {
    return this.#medium.commit<K>(frame)
  }

  #tell(news: News): void {
    for (const [queue, bits] of news) {
      for (const watcher of this.#watchers) {
        if (bits & NEWS_JOBS) watcher({ what: 'jobs', queue })
        if (bits & NEWS_ENDS) watcher({ what: 'ends', queue })
        if (bits & NEWS_CONTROL) watcher({ what: 'control', queue })
      }
    }
  }
}

/** The answers of a lot in which a payload is above its queue's limit; null when none is. */
function oversized(ledger: Ledger, jobs: readonly NewJob[]): Inserted[] | null {
  const refused = new Map<NewJob, Inserted>()
  for (const job of jobs) {
    const limit = ledger.findQueue(job.queue)?.settings.limits.payloadBytes ?? Infinity
    // No character of a string takes more than three bytes.
    if (job.payload.text.length * 3 <= limit) continue
    const bytes = Buffer.byteLength(job.payload.text)
    if (bytes <= limit || ledger.find(job) >= 0) continue
    refused.set(job, { status: 'refused', code: 'PAYLOAD_TOO_LARGE', limit, bytes })
  }
  return refused.size === 0 ? null : jobs.map((job) => refused.get(job) ?? { status: 'withdrawn' })
}

/** What is left of an ask that was given some; whoever was given a lone job gets nothing beside. */
function remaining(ask: ClaimAsk, given: number): ClaimAsk {
  return given === 0 ? ask : { ...ask, limit: ask.limit - given, alone: false }
}

function paged<T>(names: string[], page: PageAsk, row: (name: string) => T): Paged<T> {
  names.sort()
  const { cursor, limit } = page
  const from = cursor === null ? 0 : names.findIndex((name) => name > cursor)
  const chosen = from < 0 ? [] : names.slice(from, from + limit)
  const last = chosen.at(-1)
  const more = last !== undefined && from + limit < names.length
  return { items: chosen.map(row), cursor: more ? last : null }
}

/** `null` takes a word back; nested records are said field by field. */
function overridden(overrides: SettingsLayer, change: OverrideChange): SettingsLayer {
  const said = new Map<string, unknown>(Object.entries(overrides))
  for (const [name, word] of Object.entries(change)) {
    if (word === null) said.delete(name)
    else if (NESTED.has(name)) said.set(name, { ...Object(said.get(name)), ...Object(word) })
    else said.set(name, word)
  }
  return Object.fromEntries(said) as SettingsLayer // the names of a layer and of a change to it
}

const NESTED = new Set(['groups', 'limits', 'keep'])

/** `Infinity` and key order are kept apart from each other as they should be. */
function sameLayer(a: SettingsLayer, b: SettingsLayer): boolean {
  return stable(a) === stable(b)
}

function stable(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  const entries = Object.entries(value).filter(([, one]) => one !== undefined)
  entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${stable(one)}`).join(',')}}`
}

function closed(name: string): Error {
  return millraceError({
    code: 'STORE_CLOSED',
    subject: `store ${name}`,
    expected: 'an open store',
    received: 'a call before open or after close',
    remedy: 'open it first, or make a new Millrace',
  })
}
