/**
 * A store that is loaded when it is opened. Until then it knows its name and what it aims at; from
 * then on it only passes on. Promises what every store does: opening twice is opening once, an opening
 * that failed may be tried again (but for one whose code could not be loaded), and before opening and
 * after closing it answers STORE_CLOSED.
 */
import { MillraceError, millraceError } from './job/errors.js'
import type { Store, Traits } from './store.js'

export class LazyStore implements Store {
  readonly name: string
  readonly #aim: Traits
  readonly #load: () => Promise<Store>
  #loading: Promise<Store> | null = null
  #store: Store | null = null
  /** It is being opened. */
  #loaded: Store | null = null
  #closed = false

  constructor(name: string, aim: Traits, load: () => Promise<Store>) {
    this.name = name
    this.#aim = aim
    this.#load = load
  }

  get traits(): Traits {
    return this.#store?.traits ?? this.#aim
  }

  async open(ask: Parameters<Store['open']>[0]): Promise<void> {
    if (this.#closed) throw closed(this.name)
    this.#loading ??= this.#load()
    const store = await this.#loading.catch((error: unknown) => {
      this.#loading = null
      throw MillraceError.is(error) ? error : unloaded(this.name, error)
    })
    this.#loaded = store
    await store.open(ask)
    this.#store = store
    if (this.#isClosed()) await this.close() // it was closed while it opened
  }

  async close(): Promise<void> {
    this.#closed = true
    await (this.#store ?? this.#loaded)?.close()
  }

  dump: Store['dump'] = async (ask) => this.#opened().dump(ask)
  load: Store['load'] = async (items) => this.#opened().load(items)
  insert: Store['insert'] = async (lots) => this.#opened().insert(lots)
  exchange: Store['exchange'] = async (ask) => this.#opened().exchange(ask)
  commit: Store['commit'] = async (one, write, terms) => this.#opened().commit(one, write, terms)
  note: Store['note'] = async (notes) => this.#opened().note(notes)
  enlist: Store['enlist'] = async (card) => this.#opened().enlist(card)
  leave: Store['leave'] = async (node) => this.#opened().leave(node)
  beat: Store['beat'] = async (beat) => this.#opened().beat(beat)
  check: Store['check'] = async (ask) => this.#opened().check(ask)
  beatRecipe: Store['beatRecipe'] = () => this.#opened().beatRecipe()
  sweep: Store['sweep'] = async (ask) => this.#opened().sweep(ask)
  get: Store['get'] = async (refs) => this.#opened().get(refs)
  parents: Store['parents'] = async (ref) => this.#opened().parents(ref)
  list: Store['list'] = async (ask) => this.#opened().list(ask)
  count: Store['count'] = async (ask) => this.#opened().count(ask)
  explain: Store['explain'] = async (refs) => this.#opened().explain(refs)
  explainQueue: Store['explainQueue'] = async (queue) => this.#opened().explainQueue(queue)
  groups: Store['groups'] = async (queue, page) => this.#opened().groups(queue, page)
  queues: Store['queues'] = async (page) => this.#opened().queues(page)
  nodes: Store['nodes'] = async (page) => this.#opened().nodes(page)
  control: Store['control'] = async (command, cursor) => this.#opened().control(command, cursor)
  settings: Store['settings'] = async (queue) => this.#opened().settings(queue)
  declare: Store['declare'] = async (queue, layer) => this.#opened().declare(queue, layer)
  override: Store['override'] = async (queue, change) => this.#opened().override(queue, change)
  tick: Store['tick'] = async (ticks) => this.#opened().tick(ticks)
  schedules: Store['schedules'] = async (ask) => this.#opened().schedules(ask)
  plan: Store['plan'] = async (change) => this.#opened().plan(change)
  watch: Store['watch'] = (onHint) => this.#opened().watch(onHint)

  #opened(): Store {
    if (this.#store !== null) return this.#store
    throw closed(this.name)
  }

  #isClosed(): boolean {
    return this.#closed
  }
}

function closed(name: string): Error {
  return millraceError({
    code: 'STORE_CLOSED',
    subject: `store ${name}`,
    expected: 'a store that is open',
    remedy: 'open it first; once closed, make a new Millrace',
  })
}

/** Node remembers a load that failed, and does not read the files again. */
function unloaded(name: string, cause: unknown): MillraceError {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject: `store ${name}`,
    expected: 'its code to be loaded',
    received: cause instanceof Error ? cause.message : String(cause),
    remedy: 'mend the cause, and start this process anew',
    cause,
  })
}
