/**
 * The store's face: a handle of the keeper when this process is it, a visitor of the keeper when
 * another one is, and from one to the other when the keeper goes. Callers see one store.
 *
 *     open ──▶ keeping ◀── the keeper left or died ──  visiting
 *                │                                        ▲
 *                └── another process followed, while this one stood still
 */
import type { Card } from '../../job/book/frame.js'
import { millraceError } from '../../job/errors.js'
import type { Hint, OpenAsk, Store, Traits } from '../../store.js'
import type { Clock, Timer } from '../../time/clock.js'
import { serve } from './clerkship.js'
import { lookForKeeper } from './keeper.js'
import type { KeeperParts } from './keeper.js'
import { Post } from './post.js'
import type { Room } from './room.js'
import { GONE, Visitor } from './visitor.js'

export interface HandleParts {
  readonly survives: Traits['survives']
  /** Whether this process keeps that scope already. */
  readonly isKeptHere: (scope: string) => boolean
  /** A handle of this process's keeper, opened; it becomes the keeper, or throws. */
  readonly keep: (scope: string) => Promise<{ readonly store: Store; readonly room: Room }>
  readonly keeperParts: (scope: string) => KeeperParts
  readonly clock: Clock
  /** By which a keeper looks at its post of itself; null: by hints alone. */
  readonly rounds: Clock | null
  readonly warn: (message: string) => void
}

/** Hints of a keeper in another process come at most so often. */
const HINT_EVERY = 20
/** A letter that no hint tells of is found by the keeper after so long at most. */
const ROUND = 250
/** What nobody has fetched for so long is fetched no more: askers wait for half a minute. */
const UNFETCHED = 10 * 60_000
/** Keepers may change so often while one call waits. */
const TRIES = 8

interface Keeping {
  readonly kind: 'keeping'
  readonly store: Store
  readonly room: Room
  readonly stop: () => void
}

interface Visiting {
  readonly kind: 'visiting'
  readonly visitor: Visitor
  readonly stop: () => void
}

export class MaildirStore implements Store<'maildir'> {
  readonly name = 'maildir'
  readonly #parts: HandleParts
  readonly #watchers = new Set<(hint: Hint) => void>()
  #scope = ''
  #state: 'new' | 'open' | 'closed' = 'new'
  #opening: Promise<void> | null = null
  #role: Keeping | Visiting | null = null

  constructor(parts: HandleParts) {
    this.#parts = parts
  }

  get traits(): Traits {
    const { survives } = this.#parts
    return { survives, reach: 'process', transactions: false, hints: true, beat: 'loop' }
  }

  async open({ scope }: OpenAsk): Promise<void> {
    if (this.#state === 'closed') throw closed()
    this.#opening ??= this.#enter(scope)
    try {
      await this.#opening
    } catch (error) {
      this.#opening = null
      throw error
    }
    this.#state = 'open'
  }

  async #enter(scope: string): Promise<void> {
    this.#scope = scope
    const { isKeptHere } = this.#parts
    if (!isKeptHere(scope) && this.#isKeptElsewhere()) return this.#visit()
    try {
      await this.#keep()
    } catch (error) {
      if (isKeptHere(scope) || !this.#isKeptElsewhere()) throw error
      this.#visit() // somebody was faster
    }
  }

  #isKeptElsewhere(): boolean {
    const parts = this.#parts.keeperParts(this.#scope)
    if (parts.disk.facts(parts.layout.post) === null) return false
    return lookForKeeper(parts)?.state === 'keeps'
  }

  async #keep(): Promise<void> {
    const { store, room } = await this.#parts.keep(this.#scope)
    const parts = this.#parts.keeperParts(this.#scope)
    const { warn, rounds } = this.#parts
    const post = new Post(parts)
    const enlist = (card: Card): void => void room.commit({ kind: 'hello', card })
    const refuse = (error: unknown): void => warn(`the post could not be read: ${String(error)}`)
    const look = (): void => {
      // Who was followed leaves the letters to who came after.
      if (room.keeps()) serve({ post, store, enlist, warn }).catch(refuse)
    }
    let timer: Timer | null = null
    const goRound = (): void => {
      timer = rounds?.after(ROUND, goRound, { ref: false }) ?? null
      look()
    }
    const unwatch = parts.disk.watch(parts.layout.post, look)
    const deafen = store.watch((hint) => this.#tell(hint))
    const stop = (): void => {
      timer?.cancel()
      unwatch()
      deafen()
    }
    this.#role = { kind: 'keeping', store, room, stop }
    tidy(post, parts, warn)
    goRound()
  }

  #visit(): void {
    const { clock } = this.#parts
    const visitor = new Visitor({ ...this.#parts.keeperParts(this.#scope), clock })
    let isTold = false
    const stop = visitor.follow(() => {
      if (isTold || this.#watchers.size === 0) return
      isTold = true
      const tell = (): void => {
        isTold = false
        for (const what of ['jobs', 'ends', 'control'] as const) this.#tell({ what, queue: null })
      }
      clock.after(HINT_EVERY, tell, { ref: false })
    })
    this.#role = { kind: 'visiting', visitor, stop }
  }

  #tell(hint: Hint): void {
    for (const watcher of this.#watchers) watcher(hint)
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#watchers.clear()
    await this.#resign()
  }

  async #resign(): Promise<void> {
    const role = this.#role
    this.#role = null
    role?.stop()
    if (role?.kind === 'visiting') role.visitor.close()
    await (role?.kind === 'keeping' ? role.store.close() : undefined)
  }

  /** By whoever can do it now. */
  async #do<V extends Verb>(verb: V, words: Parameters<Store[V]>): Promise<Awaited<Answer<V>>> {
    for (let tries = 0; tries < TRIES; tries++) {
      if (this.#state !== 'open') throw closed()
      const role = this.#role
      if (role?.kind === 'keeping' && !role.room.isDeposed) {
        const call = role.store[verb] as (...words: Parameters<Store[V]>) => Answer<V> // as: its own words
        return await call.apply(role.store, words)
      }
      if (role?.kind === 'visiting') {
        const answer = await role.visitor.ask(verb, words)
        if (answer !== GONE) return answer as Awaited<Answer<V>> // as: what the keeper's store answered
      }
      if (this.#role === role) {
        await this.#resign()
        await this.#enter(this.#scope)
      }
    }
    throw closed()
  }

  insert: Store['insert'] = (lots) => this.#do('insert', [lots])
  exchange: Store['exchange'] = (ask) => this.#do('exchange', [ask])
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
  plan: Store['plan'] = (change) => this.#do('plan', [change])

  watch(onHint: (hint: Hint) => void): () => void {
    this.#watchers.add(onHint)
    return () => this.#watchers.delete(onHint)
  }
}

type Verb = Exclude<keyof Store, 'name' | 'traits' | 'open' | 'close' | 'watch' | 'beatRecipe'>
type Answer<V extends Verb> = ReturnType<Store[V]>

/** What the askers of former keepers have left. */
function tidy(post: Post, { host }: KeeperParts, warn: (message: string) => void): void {
  try {
    post.tidy(host.wall() - UNFETCHED)
  } catch (error) {
    warn(`old answers could not be removed: ${String(error)}`)
  }
}

function closed(): Error {
  return millraceError({
    code: 'STORE_CLOSED',
    subject: 'store maildir',
    expected: 'an open store',
    received: 'a call before open or after close',
    remedy: 'open it first, or make a new Millrace',
  })
}
