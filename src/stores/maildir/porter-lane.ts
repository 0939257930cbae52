/**
 * One thread of the porter. It is begun when it is first asked, ends when it is told to, and is begun
 * again by the next ask. Promises that it keeps the process alive only while somebody waits for it,
 * and that where it dies, whoever waits hears of it: what was under way may have been done or not.
 */
import { Worker } from 'node:worker_threads'
import type { PorterParts } from './porter.js'
import type { ToDesk, ToPorter } from './porter-words.js'

interface Asked {
  readonly resolve: (told: ToDesk) => void
  readonly reject: (error: Error) => void
}

export class Lane {
  readonly #parts: Omit<PorterParts, 'disk'>
  readonly #onRest: () => void
  readonly #asked = new Map<number, Asked>()
  #worker: Worker | null = null
  #number = 0

  /** `onRest`: nobody waits for it any more. */
  constructor({ layout, nonce }: Omit<PorterParts, 'disk'>, onRest: () => void) {
    this.#parts = { layout: { scope: layout.scope, tmp: layout.tmp }, nonce }
    this.#onRest = onRest
  }

  get isBusy(): boolean {
    return this.#asked.size > 0
  }

  ask(what: (number: number) => ToPorter): Promise<ToDesk> {
    const worker = (this.#worker ??= this.#begin())
    const number = ++this.#number
    worker.ref()
    return new Promise((resolve, reject) => {
      this.#asked.set(number, { resolve, reject })
      worker.postMessage(what(number))
    })
  }

  async end(): Promise<void> {
    if (this.isBusy) return
    const worker = this.#worker
    this.#worker = null
    await worker?.terminate()
  }

  #begin(): Worker {
    const { layout, nonce } = this.#parts
    const workerData = { layout, nonce: `${nonce}-${++this.#number}` }
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
    if (!this.isBusy) this.#rests()
    asked?.resolve(told)
  }

  #died(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return
    this.#worker = null
    const asked = [...this.#asked.values()]
    this.#asked.clear()
    for (const { reject } of asked) reject(error)
    this.#rests()
  }

  #rests(): void {
    this.#worker?.unref()
    this.#onRest()
  }
}
