/**
 * One isolate's life, as its worker sees it:
 *
 *     starting ── loaded ──▶ idle ⇄ busy
 *         └────── end, kill ──┴──────┴──▶ ending ──▶ gone
 *
 * Promises: one errand at a time; an errand whose isolate ends is failed, with the reason; what an
 * isolate says late, of an errand that is over, changes nothing; one that has nothing to do for
 * long ends by itself. Which errand it gets, and who follows it, is left to the pool.
 */
import { ISOLATE_GRACE, ISOLATE_PARTING, ISOLATE_REST, ISOLATE_START } from '../../job/defaults.js'
import type { MillraceError } from '../../job/errors.js'
import type { Clock, Timer } from '../../time/clock.js'
import type { Cell, CellListener, Ending, Kind, OpenCell } from './cell.js'
import { endedUnready, isolateEnded, isolateUnready } from './endings.js'
import type { Errand } from './errand.js'
import { fromAnswer, readTold, toErrorText } from './wire.js'
import type { ErrorText, Shape, Told } from './wire.js'

/** What all isolates of a pool have in common. */
export interface Mould {
  readonly kind: Kind
  readonly module: URL
  readonly shape: Shape
  readonly open: OpenCell
  readonly clock: Clock
}

/** Whom it belongs to. */
export interface Keeper {
  /** It can take an errand. `tasks`: those that its module handles. */
  ready(isolate: Isolate, tasks: readonly string[]): void
  free(isolate: Isolate): void
  /** It never became ready; then it is `leaving`. */
  unready(isolate: Isolate, error: Error): void
  /** It takes no more errands, and is on its way out. */
  leaving(isolate: Isolate): void
  gone(isolate: Isolate): void
}

/** The program in every isolate, thread or process. */
const PROGRAM = new URL('./program.js', import.meta.url)

export class Isolate implements CellListener {
  /** Answers when nothing of it is left. */
  readonly gone: Promise<void>
  readonly #mould: Mould
  readonly #keeper: Keeper
  #cell: Cell | null = null
  #state: 'starting' | 'idle' | 'busy' | 'ending' | 'gone' = 'starting'
  /** What ends it unless something else happens first: one thing in each state. */
  #timer: Timer
  #run = 0
  #errand: Errand | null = null
  #uncaught: ErrorText | null = null
  #onGone: () => void = () => undefined

  constructor(mould: Mould, keeper: Keeper) {
    const { clock, module, shape, open } = mould
    this.#mould = mould
    this.#keeper = keeper
    this.gone = new Promise((resolve) => (this.#onGone = resolve))
    this.#timer = this.#after(ISOLATE_START, () => this.#late())
    try {
      this.#cell = open(PROGRAM, this, clock)
      this.#cell.send({ order: 'load', module: module.href, shape })
    } catch (error) {
      clock.soon(() => this.ended({ by: 'failure', error }))
    }
  }

  // ── What the pool asks ────────────────────────────────────────────────────────────────────────

  get isBusy(): boolean {
    return this.#state === 'busy'
  }

  /** Only when it is idle. */
  run(errand: Errand): void {
    this.#timer.cancel()
    this.#state = 'busy'
    this.#errand = errand
    this.#uncaught = null
    this.#cell?.send({ order: 'run', run: ++this.#run, job: errand.handed })
  }

  /** The handler is asked to stop; when it has not within its grace, and its time, it is killed. */
  cancel(error: MillraceError<'JOB_CANCELLED'>): void {
    const errand = this.#errand
    if (errand === null) return
    const { code, subject, expected, remedy } = error
    const reason = { code, subject, expected, remedy }
    this.#cell?.send({ order: 'cancel', run: this.#run, reason })
    const grace = Math.min(ISOLATE_GRACE, errand.timeLeft(this.#mould.clock))
    this.#timer.cancel()
    this.#timer = this.#after(grace, () => this.kill(error))
  }

  /** Asks it to end, so that its own exit listeners run; kills it when that takes long. */
  end(): void {
    if (!this.#leave()) return
    this.#cell?.send({ order: 'end' })
    this.#timer = this.#after(ISOLATE_PARTING, () => this.#cell?.kill())
  }

  /** `reason`: what its errand, if it has one, fails with. */
  kill(reason: unknown): void {
    this.#errand?.fail(reason)
    this.#leave()
    this.#cell?.kill()
  }

  /** Whether this process shall live until it is gone. */
  keepAlive(alive: boolean): void {
    if (this.#state !== 'gone') this.#cell?.keepAlive(alive)
  }

  // ── What the cell tells ───────────────────────────────────────────────────────────────────────

  heard(message: unknown): void {
    const told = readTold(message)
    if (told !== null) this.#hear(told)
  }

  ended(ending: Ending): void {
    const before = this.#state
    if (before === 'gone') return
    const { kind } = this.#mould
    if (before === 'starting') this.#unready(endedUnready(ending, this.#uncaught))
    this.#leave()
    this.#timer.cancel()
    this.#state = 'gone'
    this.#errand?.fail(isolateEnded(kind, ending, this.#uncaught))
    this.#errand = null
    this.#onGone()
    this.#keeper.gone(this)
  }

  #hear(told: Told): void {
    switch (told.told) {
      case 'ready':
        if (this.#state !== 'starting') return
        this.#rest()
        return this.#keeper.ready(this, told.tasks)
      case 'unready': {
        if (this.#state !== 'starting') return
        const { name, message, stack } = told.error
        this.#unready(`${name}: ${message}`, stack)
        return this.kill(null)
      }
      case 'notes':
        return this.#note(told)
      case 'step':
        return void this.#keep(told)
      case 'parents':
        return void this.#parents(told)
      case 'answer':
        return this.#answered(told)
      case 'uncaught':
        this.#uncaught = told.error
    }
  }

  #note({ run, notes }: Extract<Told, { readonly told: 'notes' }>): void {
    if (run !== this.#run || this.#errand === null || this.#errand.isOver) return
    const { live } = this.#errand
    if (notes.progress !== null) live.progress(notes.progress)
    for (const line of notes.log) live.log(line)
    for (const throttle of notes.throttles ?? []) live.throttle(throttle)
  }

  /** Never rejects. Whoever waits inside hears of it, if it is still the same run. */
  async #keep({ run, call, step }: Extract<Told, { readonly told: 'step' }>): Promise<void> {
    if (run !== this.#run || this.#errand === null || this.#errand.isOver) return
    const kept = await this.#errand.live.keep(step).then(
      (noted) => ({ noted }),
      (error: unknown) => ({ error: toErrorText(error) }),
    )
    if (run === this.#run && this.#state === 'busy') {
      this.#cell?.send({ order: 'kept', run, call, ...kept })
    }
  }

  /** Never rejects, as above. */
  async #parents({ run, call }: Extract<Told, { readonly told: 'parents' }>): Promise<void> {
    if (run !== this.#run || this.#errand === null || this.#errand.isOver) return
    const parents = await this.#errand.live.parents().then(
      (rows) => ({ rows }),
      (error: unknown) => ({ error: toErrorText(error) }),
    )
    if (run === this.#run && this.#state === 'busy') {
      this.#cell?.send({ order: 'parents', run, call, ...parents })
    }
  }

  #answered({ run, answer }: Extract<Told, { readonly told: 'answer' }>): void {
    if (run !== this.#run || this.#state !== 'busy') return
    this.#timer.cancel()
    this.#errand?.end(fromAnswer(answer))
    this.#errand = null
    this.#rest()
    this.#keeper.free(this)
  }

  #rest(): void {
    this.#timer.cancel()
    this.#state = 'idle'
    this.#timer = this.#after(ISOLATE_REST, () => this.end())
  }

  /** From here on it takes no more; false when it was on its way already. */
  #leave(): boolean {
    if (this.#state === 'ending' || this.#state === 'gone') return false
    this.#timer.cancel()
    this.#state = 'ending'
    this.#keeper.leaving(this)
    return true
  }

  #late(): void {
    this.#unready(`nothing was heard of it for ${ISOLATE_START} ms`)
    this.kill(null)
  }

  #unready(why: string, stack?: string): void {
    const { kind, module } = this.#mould
    this.#keeper.unready(this, isolateUnready(kind, module, why, stack))
  }

  #after(delay: number, run: () => void): Timer {
    return this.#mould.clock.after(delay, run, { ref: false })
  }
}
