/**
 * The loop's side of the heart's thread: begins it, tells it what changed, notices when it is
 * silent and begins another. Promises: the thread never keeps the process alive; while it is not
 * known to beat, `alive` is false and the loop beats itself; when nothing is held for long it ends.
 * It is not stopped in the midst of a call that does not bear it: see `critical-section.ts`.
 */
import { Worker } from 'node:worker_threads'
import { millraceError } from '../job/errors.js'
import type { Millis } from '../job/job.js'
import type { BeatRecipe } from '../store.js'
import type { Clock, Timer } from '../time/clock.js'
import { HEART_MISSES, HEART_REST } from '../job/defaults.js'
import { CriticalSection, unwatchExit, watchExit } from './critical-section.js'
import { END, HeartTable, REST, WORK } from './heart-table.js'
import type { ThreadNews, ThreadStart, ThreadTrouble } from './heart-table.js'

const GOODBYE: Millis = 500

export interface HeartThreadOptions {
  readonly recipe: BeatRecipe
  readonly clock: Clock
  readonly beat: Millis
  readonly node: string
  readonly onError: (error: unknown) => void
}

interface Begun {
  readonly worker: Worker
  readonly section: CriticalSection
}

export class HeartThread {
  readonly table: HeartTable
  readonly #options: HeartThreadOptions
  #node: string
  #thread: Begun | null = null
  #resting: Timer | null = null
  #working = false
  #beats = 0
  #misses = 0
  /** It has beaten since it was begun, and not long ago. */
  #alive = false

  /** Null where no compiled thread stands beside this file, as in a run from the sources. */
  static begin(options: HeartThreadOptions): HeartThread | null {
    return import.meta.url.endsWith('.ts') ? null : new HeartThread(options)
  }

  private constructor(options: HeartThreadOptions) {
    this.#options = options
    this.#node = options.node
    this.table = new HeartTable((columns) => this.#tell({ columns }))
  }

  get alive(): boolean {
    return this.#alive
  }

  work(): void {
    this.#working = true
    this.#resting?.cancel()
    this.#resting = null
    this.#misses = 0
    this.table.tick(this.#options.clock.mono())
    this.table.set(WORK)
    this.#begin()
  }

  rest(): void {
    const { clock } = this.#options
    this.#working = false
    this.#alive = false
    this.table.set(REST)
    this.#resting ??= clock.after(HEART_REST, () => void this.#end(), { ref: false })
  }

  rename(node: string): void {
    this.#node = node
    this.#tell({ node })
    this.table.wake()
  }

  /** The loop ticks; answers whether the thread has beaten since the last tick. */
  sawBeat(mono: number): boolean {
    this.table.tick(mono)
    const { beats } = this.table
    const beaten = beats !== this.#beats
    this.#beats = beats
    this.#misses = beaten ? 0 : this.#misses + 1
    if (beaten) this.#alive = this.#working
    else if (this.#misses >= HEART_MISSES) this.#heal()
    return beaten
  }

  async close(): Promise<void> {
    this.#working = false
    this.#resting?.cancel()
    await this.#end()
  }

  #begin(): void {
    if (this.#thread !== null) return
    const { recipe, beat } = this.#options
    const section = new CriticalSection()
    const shared = { table: this.table.shared, section: section.shared }
    const start: ThreadStart = { recipe, beat, node: this.#node, ...shared }
    // It loads nothing but our own compiled modules, and some flags of a process no thread can take.
    const options = { workerData: start, execArgv: [] }
    const worker = new Worker(new URL('./heart-thread.js', import.meta.url), options)
    worker.unref()
    watchExit(section)
    worker.on('message', ({ error, fault }: ThreadTrouble) => {
      this.#options.onError(fault === null ? new Error(error) : millraceError(fault))
    })
    worker.on('error', (error) => this.#options.onError(error))
    worker.on('exit', () => {
      unwatchExit(section)
      if (this.#thread?.worker === worker) this.#thread = null
      this.#alive = false
    })
    this.#thread = { worker, section }
  }

  /** It died, or hangs: the loop beats until another one does. */
  #heal(): void {
    this.#alive = false
    this.#misses = 0
    if (!this.#working) return
    const old = this.#thread
    this.#thread = null
    if (old !== null) this.#stop(old).catch(this.#options.onError)
    this.#begin()
  }

  async #end(): Promise<void> {
    this.#resting = null
    if (this.#working) return
    this.#alive = false
    const thread = this.#thread
    this.#thread = null
    if (thread === null) return
    this.table.set(END)
    await this.#ended(thread.worker)
    await this.#stop(thread)
  }

  /** Who is in its section comes out by itself, and ends then. */
  async #stop({ worker, section }: Begun): Promise<void> {
    if (section.bar()) await worker.terminate()
    else this.table.wake()
  }

  /** It says goodbye to its store; what hangs is not waited for. */
  #ended(worker: Worker): Promise<void> {
    return new Promise((resolve) => {
      const late = this.#options.clock.after(GOODBYE, resolve)
      worker.once('exit', () => {
        late.cancel()
        resolve()
      })
    })
  }

  #tell(news: ThreadNews): void {
    this.#thread?.worker.postMessage(news)
  }
}
