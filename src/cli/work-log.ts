/**
 * What `millrace work` tells while it works. For people: what goes wrong, a line each, and in a
 * terminal how much is done; for programs, with --json, every event as a line. A completed job is
 * only counted, since there may be thousands a second.
 */
import { EVENT_NAMES } from '../observe/events.js'
import type { EventName, MillraceEvent } from '../observe/events.js'
import type { Millrace } from '../millrace.js'
import type { Worker } from '../worker.js'
import type { Timer } from '../time/clock.js'
import { formatDuration } from '../time/duration.js'
import { TICK } from './bounds.js'
import { count, jsonText, safe } from './plain.js'
import type { Shell } from './shell.js'

/** Not of jobs, and many a second. */
const UNTOLD: readonly EventName[] = ['batch.sent', 'sweep']

export class WorkLog {
  readonly #shell: Shell
  #completed = 0
  #failed = 0
  #discarded = 0
  #timer: Timer | null = null

  constructor(shell: Shell, mill: Millrace) {
    this.#shell = shell
    if (shell.asked.json) this.#tellAll(mill)
    else this.#tellTroubles(mill)
    mill.on('job.completed', () => void this.#completed++)
    mill.on('attempt.failed', () => void this.#failed++)
    mill.on('job.discarded', () => void this.#discarded++)
  }

  begin(worker: Worker, concurrency: number): void {
    this.#shell.note(`working on ${safe(worker.queue)}, ${concurrency} at once; Ctrl-C ends it`)
    const { terminal, asked } = this.#shell
    if (!terminal.isLive || asked.json) return
    const tick = (): void => {
      terminal.draw(`${this.#sum()}, ${worker.running} running`)
      this.#timer = terminal.clock.after(TICK, tick, { ref: false })
    }
    tick()
  }

  end(): void {
    this.#timer?.cancel()
    this.#shell.terminal.draw('')
    this.#shell.note(this.#sum())
  }

  #sum(): string {
    const parts = [
      `${count(this.#completed)} completed`,
      this.#failed > 0 ? `${count(this.#failed)} failed attempts` : '',
      this.#discarded > 0 ? `${count(this.#discarded)} discarded` : '',
    ]
    return parts.filter((part) => part !== '').join(', ')
  }

  #tellAll(mill: Millrace): void {
    for (const type of EVENT_NAMES) {
      if (UNTOLD.includes(type)) continue
      mill.on(type, (event) => this.#shell.terminal.out(jsonText(event)))
    }
  }

  #tellTroubles(mill: Millrace): void {
    const { terminal, paint } = this.#shell
    const tell = (id: string, text: string): void => terminal.out(`${safe(id)}  ${safe(text)}`)
    mill.on('attempt.failed', ({ id, attempt, outcome, error }) => {
      const why = error === null ? '' : `: ${error.name}: ${error.message}`
      tell(
        id,
        `attempt ${attempt} ${outcome === 'failed' ? 'failed' : `failed (${outcome})`}${why}`,
      )
    })
    mill.on('job.retrying', ({ id, delay }) => tell(id, `again in ${formatDuration(delay)}`))
    mill.on('job.lost', ({ id, worker }) => tell(id, `its worker ${worker} is gone`))
    mill.on('job.discarded', (event) => terminal.out(paint.red(discarded(event))))
    mill.on('store.error', ({ error }) => terminal.err(`millrace: ${error.message}`))
  }
}

function discarded({ id, reason, message, deadLetter }: MillraceEvent<'job.discarded'>): string {
  const why = message === null || message === reason ? reason : `${reason}: ${message}`
  const where = deadLetter === null ? '' : `; now ${deadLetter.id} in ${deadLetter.queue}`
  return `${safe(id)}  discarded, ${safe(why)}${safe(where)}`
}
