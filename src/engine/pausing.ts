/**
 * Pausing and resuming, here or everywhere. Promises: when a pause has answered, nothing of it is
 * taken any more, here, or anywhere; what runs goes on, what was fetched ahead here goes back; a
 * pause that waited in vain is taken back, if it was this very call that set it; events tell what
 * this process changed, and only that. What is paused everywhere is the store's to remember.
 */
import { LOOK_GAP_MAX, PAGE } from '../job/defaults.js'
import { millraceError } from '../job/errors.js'
import type { MillraceError } from '../job/errors.js'
import type { Millis } from '../job/job.js'
import type { Events } from '../observe/events.js'
import type { Store } from '../store.js'
import type { Clock } from '../time/clock.js'
import type { Ledger } from './ledger.js'
import type { PauseAim } from './rest.js'
import type { Staff } from './staff.js'

export interface PauseSpec extends PauseAim {
  readonly where: 'everywhere' | 'here'
  /** How long to wait until nothing of it runs; null: not at all. */
  readonly wait: Millis | null
  /** Who says it, for whoever asks why nothing moves. */
  readonly by: string
  /** What errors call it. */
  readonly subject: string
}

export type ResumeSpec = Omit<PauseSpec, 'wait' | 'subject'>

export interface PausingOptions {
  readonly store: Store
  readonly clock: Clock
  readonly events: Events
  readonly ledger: Ledger
  readonly staff: Staff
  /** Rejects when the Millrace was closed. */
  readonly ready: () => Promise<void>
}

export class Pausing {
  readonly #options: PausingOptions

  constructor(options: PausingOptions) {
    this.#options = options
  }

  async pause(spec: PauseSpec): Promise<void> {
    const { queue, group, where } = spec
    const isNew = await this.#set(spec, 'pause')
    if (isNew) this.#options.events.emit('queue.paused', { queue, group, where })
    this.#options.staff.makeRoom(queue)
    if (spec.wait === null) return
    const running = await this.#untilStill(spec, spec.wait)
    if (running === 0) return
    if (isNew) await this.resume(spec)
    throw stillRuns(spec, spec.wait, running, isNew)
  }

  async resume(spec: ResumeSpec): Promise<void> {
    const { queue, group, where } = spec
    if (!(await this.#set(spec, 'resume'))) return
    this.#options.events.emit('queue.resumed', { queue, group, where })
    this.#options.staff.look(queue)
  }

  /** False: it was so before. */
  async #set(spec: ResumeSpec, kind: 'pause' | 'resume'): Promise<boolean> {
    const { store, staff, ready } = this.#options
    await ready()
    if (spec.where === 'here') return staff.rest.set(spec, kind === 'pause')
    const { queue, group, by } = spec
    const { changed } = await store.control({ kind, queue, group, by }, null)
    return changed > 0
  }

  /** How many still run when nothing does, or the time is up. */
  async #untilStill(spec: PauseSpec, wait: Millis): Promise<number> {
    const { clock, ready } = this.#options
    const until = clock.mono() + wait
    for (;;) {
      const running = spec.where === 'here' ? this.#runningHere(spec) : await this.#running(spec)
      const left = until - clock.mono()
      if (running === 0 || left <= 0) return running
      await new Promise<void>((resolve) => clock.after(Math.min(left, LOOK_GAP_MAX), resolve))
      await ready()
    }
  }

  #runningHere({ queue, group }: PauseAim): number {
    let running = 0
    for (const held of this.#options.ledger.held.values()) {
      const isOfIt =
        queue === null || (held.queue === queue && (group ?? held.group) === held.group)
      if (isOfIt) running++
    }
    return running
  }

  async #running({ queue, group }: PauseAim): Promise<number> {
    const { store } = this.#options
    if (queue === null) return this.#runningAnywhere()
    const which = { states: ['running'] as const, ...(group !== null && { group }) }
    let running = 0
    let cursor: string | null = null
    do {
      const step: Awaited<ReturnType<Store['count']>> = await store.count({ queue, which, cursor })
      running += step.counts.running
      cursor = step.cursor
    } while (cursor !== null)
    return running
  }

  async #runningAnywhere(): Promise<number> {
    const { store } = this.#options
    let running = 0
    let cursor: string | null = null
    do {
      const page: Awaited<ReturnType<Store['queues']>> = await store.queues({ limit: PAGE, cursor })
      for (const { counts } of page.items) running += counts.running
      cursor = page.cursor
    } while (cursor !== null)
    return running
  }
}

function stillRuns(
  { subject, group, where }: PauseSpec,
  wait: Millis,
  running: number,
  isNew: boolean,
): MillraceError {
  return millraceError({
    code: 'PAUSE_TIMEOUT',
    subject: group === null ? subject : `${subject}, group ${JSON.stringify(group)}`,
    expected: `what runs ${where} to end within ${wait} ms (timeout)`,
    received: `${running} still running`,
    remedy: isNew
      ? 'the pause was taken back; wait longer, or pause without wait'
      : 'it was paused before, and still is; wait longer',
  })
}
