/**
 * The porter as the desk sees him on a real disk: a few errands he does on the spot, and for many he
 * has a thread, which is begun when it is first worth it and ends when there was nothing for it for
 * some time. Promises that it keeps the process alive only while somebody waits for it, and that
 * where it dies, what was under way is handed back as undone.
 */
import { Worker } from 'node:worker_threads'
import type { Millis } from '../../job/job.js'
import type { Clock, Timer } from '../../time/clock.js'
import type { Errand } from './moves.js'
import { DiskPorter } from './porter.js'
import type { Carried, Porter, PorterParts } from './porter.js'
import { errorOf } from './porter-words.js'
import type { ToDesk, ToPorter } from './porter-words.js'

/** Fewer errands than this are done sooner than a thread is woken. */
const WORTH_IT = 24
/** A thread that was not needed for so long ends: it takes some megabytes. */
const REST: Millis = 30_000

interface Asked {
  readonly resolve: (told: ToDesk) => void
  readonly reject: (error: Error) => void
}

export class ThreadPorter implements Porter {
  readonly #parts: PorterParts
  readonly #clock: Clock
  readonly #here: DiskPorter
  readonly #asked = new Map<number, Asked>()
  #worker: Worker | null = null
  #number = 0
  #resting: Timer | null = null
  #idle: (() => void)[] = []

  constructor(parts: PorterParts, clock: Clock) {
    this.#parts = parts
    this.#clock = clock
    this.#here = new DiskPorter(parts)
  }

  carry(errands: readonly Errand[]): Carried | Promise<Carried> {
    // Beside a sync that is under way there, an answer from here would come out of turn.
    const isHere = errands.length < WORTH_IT && this.#asked.size === 0
    return isHere ? this.#here.carry(errands) : this.#carryThere(errands)
  }

  async #carryThere(errands: readonly Errand[]): Promise<Carried> {
    const { done, error } = await this.#ask((number) => ({ number, errands }))
    return { done: done ?? [], error: error === null ? null : errorOf(error) }
  }

  async sync(paths: readonly string[]): Promise<void> {
    if (paths.length < WORTH_IT && this.#asked.size === 0) return this.#here.sync(paths)
    const { error } = await this.#ask((number) => ({ number, paths }))
    if (error !== null) throw errorOf(error)
  }

  async rest(): Promise<void> {
    if (this.#asked.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  async close(): Promise<void> {
    await this.rest()
    await this.#end()
  }

  #ask(what: (number: number) => ToPorter): Promise<ToDesk> {
    const worker = (this.#worker ??= this.#begin())
    const number = ++this.#number
    this.#resting?.cancel()
    this.#resting = null
    worker.ref()
    return new Promise((resolve, reject) => {
      this.#asked.set(number, { resolve, reject })
      worker.postMessage(what(number))
    })
  }

  #begin(): Worker {
    const { layout, nonce } = this.#parts
    const { scope, tmp } = layout
    const workerData: Omit<PorterParts, 'disk'> = {
      layout: { scope, tmp },
      nonce: `${nonce}-${++this.#number}`,
    }
    // It loads nothing but our own compiled modules, and some flags of a process no thread can take.
    const options = { workerData, execArgv: [] }
    const worker = new Worker(new URL('./porter-thread.js', import.meta.url), options)
    worker.on('message', (told: ToDesk) => this.#told(told))
    worker.on('error', (error) => this.#died(worker, error))
    worker.on('exit', () => this.#died(worker, new Error('the thread of the porter ended')))
    return worker
  }

  #told(told: ToDesk): void {
    const asked = this.#asked.get(told.number)
    this.#asked.delete(told.number)
    if (this.#asked.size === 0) this.#rested()
    asked?.resolve(told)
  }

  #rested(): void {
    this.#worker?.unref()
    this.#resting ??= this.#clock.after(REST, () => void this.#end(), { ref: false })
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** What was under way may have been done or not: it is done again. */
  #died(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return
    this.#worker = null
    const asked = [...this.#asked.values()]
    this.#asked.clear()
    for (const { reject } of asked) reject(error)
    this.#rested()
  }

  async #end(): Promise<void> {
    this.#resting?.cancel()
    this.#resting = null
    if (this.#asked.size > 0) return
    const worker = this.#worker
    this.#worker = null
    await worker?.terminate()
  }
}

/** Where no compiled thread stands beside this file, as in a run from the sources, there is none. */
export function porterOf(parts: PorterParts, clock: Clock): Porter {
  return import.meta.url.endsWith('.ts') ? new DiskPorter(parts) : new ThreadPorter(parts, clock)
}
