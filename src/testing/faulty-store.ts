/**
 * A store that fails on demand, round any other: before the call, so that nothing was done; after
 * it, so that it was done and nobody heard; late, on the way there or back; and with hints that are
 * lost or doubled. Faults come from a script, verb by verb, or from seeded dice, or from both. It
 * promises to change nothing else: without faults it keeps every law that the inner store keeps.
 * Beats go through it too, so it has no recipe for a thread. Closing never fails: a test must end.
 */
import { millraceError } from '../job/errors.js'
import type { Millis } from '../job/job.js'
import type { Chance, Clock } from '../time/clock.js'
import { sleep } from '../time/clock.js'
import type { Hint, Store, Traits } from '../store.js'

/** What may fail. */
export type StoreVerb = Exclude<keyof Store, 'name' | 'traits' | 'close' | 'watch' | 'beatRecipe'>

export type StoreFault =
  /** The call never arrives; nothing is done. STORE_UNREACHABLE. */
  | { readonly kind: 'before' }
  /** It is done, and its answer is lost. OUTCOME_UNKNOWN, or what `code` says. */
  | { readonly kind: 'after'; readonly code?: 'OUTCOME_UNKNOWN' | 'STORE_UNREACHABLE' }
  /** It is done at once, and its answer comes so much later. */
  | { readonly kind: 'late'; readonly by: Millis }
  /** It is done, and answered, only so much later. */
  | { readonly kind: 'slow'; readonly by: Millis }

/** How often each fault comes, from 0 to 1; together at most 1. */
export interface FaultRates {
  readonly before?: number
  readonly after?: number
  readonly late?: number
  readonly slow?: number
}

export interface FaultOptions {
  /** On it the late ones wait. */
  readonly clock: Clock
  /** The dice; without them only scripted faults come. */
  readonly chance?: Chance
  /** For every verb [none]. */
  readonly rates?: FaultRates
  /** For one verb, in place of `rates`. */
  readonly ratesOf?: Readonly<Partial<Record<StoreVerb, FaultRates>>>
  /** How late at most the thrown ones are, in milliseconds [1000]. */
  readonly lateness?: Millis
  /** What becomes of hints ['pass']. */
  readonly hints?: 'pass' | 'lose' | 'double'
}

/** A fault that came. */
export interface Injected {
  readonly verb: StoreVerb
  /** Of the calls of this verb, from 1. */
  readonly call: number
  readonly fault: StoreFault
}

export interface FaultyStore<S extends string = string> extends Store<S> {
  /** What the next calls of this verb meet, one each; null: nothing. Comes before any dice. */
  script(verb: StoreVerb, ...faults: readonly (StoreFault | null)[]): void
  /** No more faults from now on, scripted or thrown. */
  heal(): void
  /** How many calls of this verb came, failed ones too. */
  calls(verb: StoreVerb): number
  /** All that came, in order. */
  readonly injected: readonly Injected[]
}

export function faultyStore<S extends string>(
  store: Store<S>,
  options: FaultOptions,
): FaultyStore<S> {
  return new Faulty(store, options)
}

const LATENESS: Millis = 1_000

class Faulty<S extends string> implements FaultyStore<S> {
  readonly name: S
  readonly injected: Injected[] = []
  readonly #store: Store<S>
  readonly #options: FaultOptions
  readonly #calls = new Map<StoreVerb, number>()
  readonly #scripts = new Map<StoreVerb, (StoreFault | null)[]>()
  #isWell = false

  constructor(store: Store<S>, options: FaultOptions) {
    this.name = store.name
    this.#store = store
    this.#options = options
  }

  get traits(): Traits {
    return { ...this.#store.traits, beat: 'loop' }
  }

  script(verb: StoreVerb, ...faults: readonly (StoreFault | null)[]): void {
    this.#scripts.set(verb, [...(this.#scripts.get(verb) ?? []), ...faults])
  }

  heal(): void {
    this.#isWell = true
  }

  calls(verb: StoreVerb): number {
    return this.#calls.get(verb) ?? 0
  }

  // ── The seam, verb by verb ────────────────────────────────────────────────────────────────────

  open: Store['open'] = (ask) => this.#through('open', () => this.#store.open(ask))
  insert: Store['insert'] = (lots) => this.#through('insert', () => this.#store.insert(lots))
  exchange: Store['exchange'] = (ask) => this.#through('exchange', () => this.#store.exchange(ask))
  commit: Store['commit'] = (one, write, terms) =>
    this.#through('commit', () => this.#store.commit(one, write, terms))
  note: Store['note'] = (notes) => this.#through('note', () => this.#store.note(notes))
  enlist: Store['enlist'] = (card) => this.#through('enlist', () => this.#store.enlist(card))
  leave: Store['leave'] = (node) => this.#through('leave', () => this.#store.leave(node))
  beat: Store['beat'] = (beat) => this.#through('beat', () => this.#store.beat(beat))
  check: Store['check'] = (ask) => this.#through('check', () => this.#store.check(ask))
  sweep: Store['sweep'] = (ask) => this.#through('sweep', () => this.#store.sweep(ask))
  get: Store['get'] = (refs) => this.#through('get', () => this.#store.get(refs))
  parents: Store['parents'] = (ref) => this.#through('parents', () => this.#store.parents(ref))
  list: Store['list'] = (ask) => this.#through('list', () => this.#store.list(ask))
  count: Store['count'] = (ask) => this.#through('count', () => this.#store.count(ask))
  explain: Store['explain'] = (refs) => this.#through('explain', () => this.#store.explain(refs))
  explainQueue: Store['explainQueue'] = (queue) =>
    this.#through('explainQueue', () => this.#store.explainQueue(queue))
  groups: Store['groups'] = (queue, page) =>
    this.#through('groups', () => this.#store.groups(queue, page))
  queues: Store['queues'] = (page) => this.#through('queues', () => this.#store.queues(page))
  nodes: Store['nodes'] = (page) => this.#through('nodes', () => this.#store.nodes(page))
  control: Store['control'] = (command, cursor) =>
    this.#through('control', () => this.#store.control(command, cursor))
  settings: Store['settings'] = (queue) =>
    this.#through('settings', () => this.#store.settings(queue))
  declare: Store['declare'] = (queue, layer) =>
    this.#through('declare', () => this.#store.declare(queue, layer))
  override: Store['override'] = (queue, change) =>
    this.#through('override', () => this.#store.override(queue, change))
  tick: Store['tick'] = (ticks) => this.#through('tick', () => this.#store.tick(ticks))
  schedules: Store['schedules'] = (ask) =>
    this.#through('schedules', () => this.#store.schedules(ask))
  dump: Store['dump'] = (ask) => this.#through('dump', () => this.#store.dump(ask))
  load: Store['load'] = (items) => this.#through('load', () => this.#store.load(items))
  plan: Store['plan'] = (change) => this.#through('plan', () => this.#store.plan(change))

  close(): Promise<void> {
    return this.#store.close()
  }

  beatRecipe(): null {
    return null
  }

  watch(onHint: (hint: Hint) => void): () => void {
    return this.#store.watch((hint) => {
      const hints = this.#isWell ? 'pass' : (this.#options.hints ?? 'pass')
      if (hints !== 'lose') onHint(hint)
      if (hints === 'double') onHint(hint)
    })
  }

  // ── How a fault is done ───────────────────────────────────────────────────────────────────────

  async #through<T>(verb: StoreVerb, call: () => Promise<T>): Promise<T> {
    const number = this.calls(verb) + 1
    this.#calls.set(verb, number)
    const fault = this.#next(verb)
    if (fault === null) return call()
    this.injected.push({ verb, call: number, fault })
    switch (fault.kind) {
      case 'before':
        throw failure('STORE_UNREACHABLE', verb, number)
      case 'after':
        await call()
        throw failure(fault.code ?? 'OUTCOME_UNKNOWN', verb, number)
      case 'late': {
        const answer = await call()
        await sleep(this.#options.clock, fault.by)
        return answer
      }
      case 'slow':
        await sleep(this.#options.clock, fault.by)
        return call()
    }
  }

  #next(verb: StoreVerb): StoreFault | null {
    if (this.#isWell) return null
    const scripted = this.#scripts.get(verb)?.shift()
    return scripted === undefined ? this.#thrown(verb) : scripted
  }

  #thrown(verb: StoreVerb): StoreFault | null {
    const { chance, rates, ratesOf, lateness = LATENESS } = this.#options
    const odds = ratesOf?.[verb] ?? rates
    if (chance === undefined || odds === undefined) return null
    let rest = chance.next()
    const falls = (rate = 0): boolean => (rest -= rate) < 0
    if (falls(odds.before)) return { kind: 'before' }
    if (falls(odds.after)) return { kind: 'after' }
    if (falls(odds.late)) return { kind: 'late', by: chance.next() * lateness }
    if (falls(odds.slow)) return { kind: 'slow', by: chance.next() * lateness }
    return null
  }
}

function failure(
  code: 'STORE_UNREACHABLE' | 'OUTCOME_UNKNOWN',
  verb: StoreVerb,
  call: number,
): Error {
  return millraceError({
    code,
    subject: `store (call ${call} of ${verb})`,
    expected: code === 'STORE_UNREACHABLE' ? 'a store that answers' : 'an answer',
    remedy: 'this is a fault that a test asked for: repeat the call, it may be repeated',
  })
}
