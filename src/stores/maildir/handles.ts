/**
 * The store's face: a handle of the keeper when this process is it, a visitor of the keeper when
 * another one is, and from one to the other when the keeper goes; and who cannot write to the folder,
 * or was told not to, looks at it himself. Callers see one store.
 *
 *     open ──▶ keeping ◀── the keeper left or died ──  visiting
 *      │         │                                        ▲
 *      │         └── another process followed, while this one stood still
 *      └─────▶ looking: nobody keeps it, and this process may not
 */
import { closedStore } from '../../job/closed-store.js'
import { MillraceError } from '../../job/errors.js'
import { isForbidden } from '../../disk/errno.js'
import { noTransactions } from '../../job/no-transactions.js'
import type { Hint, OpenAsk, Store, Traits } from '../../store.js'
import type { Clock } from '../../time/clock.js'
import { idOf } from '../../disk/root.js'
import { mayNotWrite, named, onlyLooks, wiped } from './faults.js'
import { lookForKeeper } from './keeper.js'
import type { KeeperParts } from './keeper.js'
import { isLook, Looker } from './looker.js'
import { KIND } from './layout.js'
import { Post } from './post.js'
import { beginKeeping, beginLooking, beginVisiting } from './roles.js'
import type { Role } from './roles.js'
import type { Room } from './room.js'
import { GONE, SILENT } from './visitor.js'

export interface HandleParts {
  readonly survives: 'power' | 'process'
  /** 'look': it changes nothing, and never becomes the keeper. */
  readonly access: 'full' | 'look'
  /** Whether this process keeps that scope already. */
  readonly isKeptHere: (scope: string) => boolean
  /** A handle of this process's keeper, opened; it becomes the keeper, or throws. */
  readonly keep: (scope: string) => Promise<{ readonly store: Store; readonly room: Room }>
  readonly keeperParts: (scope: string) => KeeperParts
  readonly clock: Clock
  /** By which a keeper looks at its post of itself; null: by hints alone. */
  readonly rounds: Clock | null
  readonly pause: () => Promise<void>
  readonly warn: (message: string) => void
}

/** Keepers may change so often while one call waits. */
const TRIES = 8

export class MaildirStore implements Store<'maildir'> {
  readonly name = 'maildir'
  readonly #parts: HandleParts
  readonly #watchers = new Set<(hint: Hint) => void>()
  #scope = ''
  #state: 'new' | 'open' | 'closed' = 'new'
  #opening: Promise<void> | null = null
  #role: Role | null = null
  /** Which store was opened, and whether it had a keeper then; null: none was yet. */
  #seen: { readonly id: string | null; wasKept: boolean } | null = null

  constructor(parts: HandleParts) {
    this.#parts = parts
  }

  get traits(): Traits {
    const { survives } = this.#parts
    return { survives, reach: 'process', transactions: false, hints: true, beat: 'loop' }
  }

  async open({ scope }: OpenAsk): Promise<void> {
    if (this.#state === 'closed') throw closedStore('maildir')
    this.#opening ??= this.#enter(scope)
    try {
      await this.#opening
    } catch (error) {
      this.#opening = null
      throw error
    }
    if (this.#state === 'new') this.#state = 'open'
  }

  async #enter(scope: string): Promise<void> {
    this.#scope = scope
    if (this.#isWiped()) throw wiped(this.#root)
    await this.#take(scope)
    const { disk } = this.#parts.keeperParts(scope)
    this.#seen ??= { id: idOf(disk, this.#root, KIND), wasKept: false }
    this.#seen.wasKept ||= this.#role?.kind !== 'looking'
  }

  async #take(scope: string): Promise<void> {
    const { isKeptHere, access } = this.#parts
    if (!isKeptHere(scope) && this.#isKeptElsewhere()) return this.#visit()
    if (!isKeptHere(scope) && access === 'look') return this.#look(null)
    try {
      await this.#keep()
    } catch (error) {
      if (isKeptHere(scope)) throw error
      if (this.#isKeptElsewhere()) return this.#visit() // somebody was faster
      const { disk, layout } = this.#parts.keeperParts(scope)
      if (!isForbidden(error) || disk.facts(`${layout.root}/FORMAT`) === null) throw error
      this.#look(error)
    }
  }

  #isKeptElsewhere(): boolean {
    const parts = this.#parts.keeperParts(this.#scope)
    if (parts.disk.facts(parts.layout.post) === null) return false
    return lookForKeeper(parts)?.state === 'keeps'
  }

  async #keep(): Promise<void> {
    const kept = await this.#parts.keep(this.#scope)
    const { warn, rounds, pause } = this.#parts
    const [its, post] = [this.#parts.keeperParts(this.#scope), this.#mail()]
    const parts = { ...its, ...kept, warn, rounds, pause, post }
    this.#role = beginKeeping(parts, this.#tell)
  }

  #visit(): void {
    const { clock, survives: durability } = this.#parts
    const its = this.#parts.keeperParts(this.#scope)
    const parts = { ...its, clock, durability, post: this.#mail() }
    this.#role = beginVisiting(parts, this.#tell)
  }

  #look(why: unknown): void {
    const { clock } = this.#parts
    const parts = { ...this.#parts.keeperParts(this.#scope), clock }
    try {
      this.#role = beginLooking(parts, why, this.#tell)
    } catch (error) {
      throw named(parts.layout.root, error)
    }
  }

  readonly #tell = (hint: Hint): void => {
    for (const watcher of this.#watchers) watcher(hint)
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#watchers.clear()
    // What was entered meanwhile is left; whoever entered it hears why it could not.
    await Promise.allSettled([this.#opening, this.#changing])
    await this.#resign()
  }

  async #resign(): Promise<void> {
    const role = this.#role
    this.#role = null
    role?.stop()
    await (role?.kind === 'keeping' ? role.store.close() : undefined)
  }

  /** It is another folder than was opened, or one that knows of no keeper any more. */
  #isWiped(): boolean {
    if (this.#isReplaced()) return true
    const parts = this.#parts.keeperParts(this.#scope)
    return this.#seen?.wasKept === true && lookForKeeper(parts) === null
  }

  #isReplaced(): boolean {
    if (this.#seen === null) return false
    const { disk } = this.#parts.keeperParts(this.#scope)
    try {
      return idOf(disk, this.#root, KIND) !== this.#seen.id
    } catch (error) {
      throw named(this.#root, error)
    }
  }

  /** The folder may be gone, where what was asked of it says that it does not answer. */
  #reasonOf(error: unknown): unknown {
    const isDoubtful =
      !MillraceError.is(error) ||
      MillraceError.is(error, 'STORE_UNREACHABLE') ||
      MillraceError.is(error, 'OUTCOME_UNKNOWN')
    return isDoubtful && this.#isWiped() ? wiped(this.#root) : error
  }

  /** By whoever can do it now. */
  async #do<V extends Verb>(verb: V, words: Parameters<Store[V]>): Promise<Awaited<Answer<V>>> {
    if (!isLook(verb)) this.#mustHaveAccess()
    for (let tries = 0; tries < TRIES; tries++) {
      if (this.#state !== 'open') throw closedStore('maildir')
      const role = this.#role
      if (role?.kind === 'keeping' && !role.room.isDeposed) {
        const call = role.store[verb] as (...words: Parameters<Store[V]>) => Answer<V> // as: its own words
        return await call.apply(role.store, words)
      }
      const answer = await this.#ofFolder(() => this.#ask(role, verb, words))
      if (answer !== GONE) return answer as Awaited<Answer<V>> // as: what the keeper's store answered, or a picture's
      if (this.#role === role) {
        await this.#change()
        this.#mustMayWrite(verb)
      }
    }
    throw closedStore('maildir')
  }

  /** Once for all calls that find nobody to ask. */
  async #change(): Promise<void> {
    const change = async (): Promise<void> => {
      await this.#resign()
      await this.#enter(this.#scope)
    }
    this.#changing ??= change().finally(() => (this.#changing = null))
    await this.#changing
  }

  #changing: Promise<void> | null = null

  /** What is asked of the folder itself, or by letters in it: of that one, and no other in its place. */
  async #ofFolder<T>(ask: () => Promise<T>): Promise<T> {
    try {
      if (this.#isReplaced()) throw wiped(this.#root)
      return await ask()
    } catch (error) {
      throw this.#reasonOf(error)
    }
  }

  /** `GONE`: there is nobody to ask. */
  async #ask<V extends Verb>(
    role: Role | null,
    verb: V,
    words: Parameters<Store[V]>,
  ): Promise<unknown> {
    if (role?.kind === 'visiting') {
      const answer = await role.visitor.ask(verb, words)
      if (answer !== SILENT) {
        this.#looker = null // who was answered has seen more than a picture of before
        return answer
      }
    }
    if (role === null || role.kind === 'keeping' || !isLook(verb)) return GONE
    return await this.#looking().look(verb, words)
  }

  /** One for all that it is in turn: it numbers its letters, and no two may have one number. */
  #mail(): Post {
    this.#post ??= new Post(this.#parts.keeperParts(this.#scope))
    return this.#post
  }

  #post: Post | null = null

  #looking(): Looker {
    const { pause } = this.#parts
    this.#looker ??= new Looker({ ...this.#parts.keeperParts(this.#scope), pause }, this.traits)
    return this.#looker
  }

  #looker: Looker | null = null

  /** It has just tried to become the keeper. */
  #mustMayWrite(verb: Verb): void {
    const role = this.#role
    if (role?.kind === 'looking' && !isLook(verb)) throw mayNotWrite(this.#folder, role.why)
  }

  #mustHaveAccess(): void {
    if (this.#parts.access === 'look') throw onlyLooks(this.#folder)
  }

  get #root(): string {
    return this.#parts.keeperParts(this.#scope).layout.root
  }

  get #folder(): string {
    return this.#parts.keeperParts(this.#scope).layout.scope
  }

  insert: Store['insert'] = async (lots) => {
    this.#mustHaveAccess()
    const role = this.#role
    const delivered =
      role?.kind === 'visiting' ? await this.#ofFolder(() => role.deliverer.insert(lots)) : null
    if (delivered === null) return this.#do('insert', [lots])
    this.#looker = null // on a picture of before these jobs are not, and would be taken for ended
    return delivered
  }
  exchange: Store['exchange'] = (ask) => this.#do('exchange', [ask])
  /** Letters have no transactions of others. */
  commit: Store['commit'] = async () => {
    if (this.#state !== 'open') throw closedStore('maildir')
    throw noTransactions('commit')
  }
  note: Store['note'] = (notes) => this.#do('note', [notes])
  enlist: Store['enlist'] = (card) => this.#do('enlist', [card])
  leave: Store['leave'] = (node) => this.#do('leave', [node])
  beat: Store['beat'] = (beat) => this.#do('beat', [beat])
  check: Store['check'] = (ask) => this.#do('check', [ask])
  beatRecipe: Store['beatRecipe'] = () => null
  sweep: Store['sweep'] = (ask) => this.#do('sweep', [ask])
  get: Store['get'] = (refs) => this.#do('get', [refs])
  parents: Store['parents'] = (ref) => this.#do('parents', [ref])
  list: Store['list'] = (ask) => this.#do('list', [ask])
  count: Store['count'] = (ask) => this.#do('count', [ask])
  explain: Store['explain'] = (refs) => this.#do('explain', [refs])
  explainQueue: Store['explainQueue'] = (queue) => this.#do('explainQueue', [queue])
  groups: Store['groups'] = (queue, page) => this.#do('groups', [queue, page])
  queues: Store['queues'] = (page) => this.#do('queues', [page])
  nodes: Store['nodes'] = (page) => this.#do('nodes', [page])
  control: Store['control'] = (command, cursor) => this.#do('control', [command, cursor])
  settings: Store['settings'] = (queue) => this.#do('settings', [queue])
  declare: Store['declare'] = (queue, layer) => this.#do('declare', [queue, layer])
  override: Store['override'] = (queue, change) => this.#do('override', [queue, change])
  tick: Store['tick'] = (ticks) => this.#do('tick', [ticks])
  schedules: Store['schedules'] = (ask) => this.#do('schedules', [ask])
  dump: Store['dump'] = (ask) => this.#do('dump', [ask])
  load: Store['load'] = (portables) => this.#do('load', [portables])
  plan: Store['plan'] = (change) => this.#do('plan', [change])

  watch(onHint: (hint: Hint) => void): () => void {
    this.#watchers.add(onHint)
    return () => this.#watchers.delete(onHint)
  }
}

type Own = 'name' | 'traits' | 'open' | 'close' | 'watch' | 'beatRecipe' | 'commit'
type Verb = Exclude<keyof Store, Own>
type Answer<V extends Verb> = ReturnType<Store[V]>
