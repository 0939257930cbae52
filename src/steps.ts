/**
 * Steps of a job, as its holder does them. Promises: a step whose value is kept is never done again,
 * in this attempt or a later one; calls of one name that come together in one run share one doing;
 * what could not be kept is refused before it is done, as far as that can be known. Sending them to
 * the store is the engine's.
 */
import type { Live } from './engine/engine.js'
import { invalid, name } from './job/check.js'
import { decode, encode } from './job/codec.js'
import type { Encoded } from './job/codec.js'
import { STEPS } from './job/defaults.js'
import { millraceError } from './job/errors.js'
import type { MillraceError } from './job/errors.js'
import type { JobRef } from './job/job.js'

export class JobSteps {
  readonly #live: Live
  readonly #kept: Map<string, Encoded>
  readonly #doing = new Map<string, Promise<unknown>>()
  #bytes = 0

  constructor(live: Live) {
    this.#live = live
    this.#kept = new Map((live.claimed.steps ?? []).map(({ name, value }) => [name, value]))
    for (const { text } of this.#kept.values()) this.#bytes += Buffer.byteLength(text)
  }

  /** The value of the step: the kept one, or what `run` answers. */
  async do(given: unknown, run: unknown): Promise<unknown> {
    const step = name(given, 'job.step name')
    if (typeof run !== 'function') {
      throw invalid(
        'job.step',
        'a function that does the step',
        run,
        'write job.step(name, () => …)',
      )
    }
    const kept = this.#kept.get(step)
    if (kept !== undefined) return decode(kept, `step ${JSON.stringify(step)}`)
    const doing = this.#doing.get(step)
    if (doing !== undefined) return doing
    const done = this.#do(step, run as () => unknown) // as: called as `LiveJob.step` says
    this.#doing.set(step, done)
    try {
      return await done
    } finally {
      this.#doing.delete(step)
    }
  }

  async #do(step: string, run: () => unknown): Promise<unknown> {
    const { claimed } = this.#live
    if (!this.#live.isHeld) throw leaseLost(claimed)
    if (this.#live.isCommitting) throw stepWithin(step, claimed)
    if (this.#kept.size + this.#doing.size >= STEPS) {
      throw this.#invalid(step, `at most ${STEPS} steps of one job`, `step ${STEPS + 1}`)
    }
    const value = await run()
    const encoded = this.#encoded(step, value)
    if ((await this.#live.keep({ name: step, value: encoded })) === 'lost') throw leaseLost(claimed)
    this.#kept.set(step, encoded)
    return value
  }

  #encoded(step: string, value: unknown): Encoded {
    let encoded: Encoded
    try {
      encoded = encode(value, `step ${JSON.stringify(step)}`)
    } catch (cause) {
      const expected = 'what JSON says, or Date, Map, Set, BigInt, undefined'
      throw this.#invalid(step, expected, value, cause)
    }
    const limit = this.#live.settings.limits.resultBytes
    const bytes = Buffer.byteLength(encoded.text)
    if (this.#bytes + bytes > limit) {
      const expected = `all steps of the job within ${limit} bytes (limits.resultBytes)`
      throw this.#invalid(step, expected, `${bytes} bytes after ${this.#bytes}`)
    }
    this.#bytes += bytes
    return encoded
  }

  #invalid(step: string, expected: string, received: unknown, cause?: unknown): MillraceError {
    const { queue, id } = this.#live.claimed
    return millraceError({
      code: 'RESULT_INVALID',
      subject: `step ${JSON.stringify(step)} of job ${JSON.stringify(id)} of queue ${JSON.stringify(queue)}`,
      expected,
      received,
      remedy: 'return less: an id, an address; it was not kept, so the next attempt does it again',
      cause,
    })
  }
}

/** What a token that died says of its job. */
export function leaseLost(ref: JobRef): MillraceError<'LEASE_LOST'> {
  return millraceError({
    code: 'LEASE_LOST',
    subject: `job ${JSON.stringify(ref.id)} of queue ${JSON.stringify(ref.queue)}`,
    expected: 'a job that is still held',
    remedy: 'it was settled, timed out, or given to another worker: let go of it',
  })
}

/** It would wait for the transaction of `job.commit`, and that for it. */
function stepWithin(step: string, { queue, id }: JobRef): MillraceError {
  return millraceError({
    code: 'OPTION_INVALID',
    subject: `step ${JSON.stringify(step)} of job ${id} of queue ${queue}`,
    expected: 'steps before job.commit',
    received: 'one within its function',
    remedy: 'do it before, and write what goes along with the completion by the transaction',
  })
}
