/**
 * Many jobs from lines: in lots, since a lot costs little more than one job. Promises that what is
 * refused is told by its line and keeps nobody out: a lot is all or none, so when it is refused its
 * jobs are put in one by one; and that it is always known how many are in, and where to go on.
 */
import { MillraceError } from '../job/errors.js'
import { BAD_LINES, BAD_LINES_TOLD, LINES_TOGETHER, LINE_BYTES_TOGETHER } from './bounds.js'
import { jsonLines } from './lines.js'
import type { ReadLine } from '../copy/export-lines.js'
import { count, jobs, safe } from './plain.js'
import type { Shell } from './shell.js'
import { ticking } from './ticker.js'

/** How jobs go in. */
export interface Doors {
  one(payload: unknown): Promise<unknown>
  many(payloads: readonly unknown[]): Promise<unknown>
}

export interface Intake {
  /** Jobs that are in. */
  readonly added: number
  /** Lines that are not. */
  readonly bad: number
  /** Why it ended before the input did; null: it did not. */
  readonly stopped: string | null
  /** The first line that was neither put in nor told. */
  readonly next: number
}

type Value = Extract<ReadLine, { kind: 'value' }>

export async function addLines(shell: Shell, doors: Doors): Promise<Intake> {
  const intake = new Taking(shell, doors)
  const stopListening = shell.terminal.onSignal((signal) => intake.interrupt(signal))
  const begun = shell.terminal.clock.mono()
  const say = (seconds: number): string =>
    `${jobs(intake.added)} in, ${count(Math.round(intake.added / seconds))}/s`
  try {
    await ticking(shell, say, () => intake.takeAll(shell.terminal.input))
    return intake
  } catch (error) {
    const seconds = (shell.terminal.clock.mono() - begun) / 1000
    shell.note(
      `${jobs(intake.added)} went in, in ${seconds.toFixed(1)} s, before line ${intake.next}`,
    )
    throw error
  } finally {
    stopListening()
  }
}

class Taking implements Intake {
  added = 0
  bad = 0
  stopped: string | null = null
  next = 1
  readonly #shell: Shell
  readonly #doors: Doors
  #lot: Value[] = []
  #bytes = 0
  #interrupt: (() => void) | null = null

  constructor(shell: Shell, doors: Doors) {
    this.#shell = shell
    this.#doors = doors
  }

  /** What has been read goes in; the rest stays where it is. */
  interrupt(signal: string): void {
    this.stopped ??= `interrupted by ${signal}`
    this.#interrupt?.()
  }

  async takeAll(input: AsyncIterable<Uint8Array>): Promise<void> {
    const interrupted = new Promise<null>((resolve) => (this.#interrupt = () => resolve(null)))
    for await (const line of jsonLines(until(interrupted, input))) {
      if (this.#isOver()) break
      if (line.kind === 'bad') this.#refuse(line.number, line.why)
      else await this.#take(line)
    }
    await this.#flush()
  }

  #isOver(): boolean {
    return this.stopped !== null
  }

  async #take(line: Value): Promise<void> {
    if (this.#lot.length > 0 && this.#bytes + line.bytes > LINE_BYTES_TOGETHER) await this.#flush()
    this.#lot.push(line)
    this.#bytes += line.bytes
    if (this.#lot.length >= LINES_TOGETHER) await this.#flush()
  }

  async #flush(): Promise<void> {
    const lot = this.#lot
    this.#lot = []
    this.#bytes = 0
    if (lot.length === 0 || this.#isFull) return
    try {
      await this.#doors.many(lot.map(({ value }) => value))
      this.#in(lot)
    } catch (error) {
      if (!isRefusal(error)) throw error
      await this.#oneByOne(lot)
    }
  }

  #isFull = false

  async #oneByOne(lot: readonly Value[]): Promise<void> {
    for (const line of lot) {
      try {
        await this.#doors.one(line.value)
        this.#in([line])
      } catch (error) {
        if (!isRefusal(error)) throw error
        if (MillraceError.is(error, 'QUEUE_FULL')) {
          this.#isFull = true
          this.stopped = error.message
          return
        }
        this.#refuse(line.number, error.message)
      }
    }
  }

  #in(lot: readonly Value[]): void {
    this.added += lot.length
    this.next = Math.max(this.next, (lot.at(-1)?.number ?? 0) + 1)
  }

  #refuse(number: number, why: string): void {
    this.bad++
    if (this.bad <= BAD_LINES_TOLD) this.#shell.terminal.err(`line ${number}: ${safe(why)}`)
    if (this.bad === BAD_LINES_TOLD) this.#shell.note('more bad lines are only counted')
    if (this.bad < BAD_LINES) return
    this.stopped ??= `${BAD_LINES} bad lines: is this JSON, one value a line?`
    if (this.#lot.length === 0) this.next = number + 1
  }
}

/** The input's chunks, until somebody says that it is enough, also while none comes. */
async function* until(
  enough: Promise<null>,
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  const chunks = input[Symbol.asyncIterator]()
  for (;;) {
    const read = await Promise.race([chunks.next(), enough])
    if (read === null || read.done === true) return
    yield read.value
  }
}

/** What the store or the face said of a job, rather than what became of the store. */
function isRefusal(error: unknown): error is MillraceError {
  return ['PAYLOAD_INVALID', 'PAYLOAD_TOO_LARGE', 'QUEUE_FULL', 'LOT_TOO_LARGE'].some(
    (code) => MillraceError.is(error) && error.code === code,
  )
}
