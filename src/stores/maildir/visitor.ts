/**
 * The store for a process that is not the keeper: every verb is a letter to the keeper. A process
 * that works so is a stand-by at the same time: when the keeper has left or died, its store becomes
 * the keeper (see `maildir-store.ts`), and what it holds stays its own, since that is in the names.
 */
import { isForbidden, isFull } from '../../disk/errno.js'
import type { Millis } from '../../job/job.js'
import type { Store } from '../../store.js'
import type { Clock } from '../../time/clock.js'
import { full } from '../../disk/reserve.js'
import { unknown, unreachable } from './faults.js'
import { lookForKeeper } from './keeper.js'
import type { KeeperParts } from './keeper.js'
import { isLook } from './looker.js'
import { errorOf } from './post.js'
import type { Answer, Post } from './post.js'

export interface VisitorParts extends KeeperParts {
  readonly clock: Clock
  /** Of the whole handle: an ask of an earlier visit may still be on its way. */
  readonly post: Post
}

/** An answer that no hint tells of is looked for so often. */
const LOOK_EVERY = 20
/** Whether the keeper lives is asked so often, while one waits for it. */
const ASK_EVERY = 500
/** A keeper that lives and answers nothing for so long is told to the caller. */
const PATIENCE = 30_000
/** Who only wants to see something looks for himself after so long. */
const PATIENCE_OF_LOOKS = 2_000

/** What brings new jobs has no part of the room that is kept for those that are there. */
const BRINGS: ReadonlySet<string> = new Set(['insert', 'tick', 'load'])

/** The keeper went before it answered. */
export const GONE = Symbol('the keeper is gone')
/** The keeper lives, or seems to, and cannot be asked: whoever wants to look looks for himself. */
export const SILENT = Symbol('the keeper is silent')

export class Visitor {
  readonly #parts: VisitorParts
  readonly #post: Post
  readonly #waiting = new Set<() => void>()

  constructor(parts: VisitorParts) {
    this.#parts = parts
    this.#post = parts.post
  }

  /** `GONE`: nobody did it, and the caller may look for the next keeper. `SILENT`: of looks alone. */
  async ask(verb: keyof Store, words: readonly unknown[]): Promise<unknown> {
    if (isLook(verb) && this.#isDeaf()) return SILENT
    const number = this.#send(verb, words)
    if (number === null) return SILENT
    const answer = await this.#answerTo(number, verb)
    if (typeof answer === 'symbol') return answer
    if (!('error' in answer)) return answer.value
    // It closes, and not we: nothing was done, and somebody follows.
    if (answer.error.code === 'STORE_CLOSED') return GONE
    throw errorOf(answer.error)
  }

  /** Null: a look that cannot be asked, on a disk that is full or not ours to write to. */
  #send(verb: keyof Store, words: readonly unknown[]): string | null {
    const { host, layout } = this.#parts
    try {
      return this.#post.ask({ verb, words, proof: host.proof }, !isLook(verb) && !BRINGS.has(verb))
    } catch (error) {
      if (isLook(verb) && (isForbidden(error) || isFull(error))) return null
      throw isFull(error) ? full(layout.scope, error) : unreachable(layout.post, error)
    }
  }

  async #answerTo(
    number: string,
    verb: keyof Store,
  ): Promise<Answer | typeof GONE | typeof SILENT> {
    const { clock, layout } = this.#parts
    const began = clock.mono()
    let asked = began
    this.#watch()
    for (;;) {
      const answer = this.#post.answered(number)
      if (answer !== null) return answer
      const now = clock.mono()
      if (now - asked > ASK_EVERY) {
        asked = now
        if (lookForKeeper(this.#parts)?.state !== 'keeps') {
          const late = this.#post.answered(number)
          if (late !== null) return late
          // What changes nothing may be asked again.
          if (this.#post.withdraw(number) || isLook(verb) || verb === 'check') return GONE
          throw unknown(layout.post, new Error('the keeper died before it answered'))
        }
      }
      if (isLook(verb) && now - began > PATIENCE_OF_LOOKS) {
        this.#post.withdraw(number)
        this.#deafSince = this.#parts.host.up()
        return SILENT
      }
      if (now - began > PATIENCE) {
        const silence = new Error('the keeper lives and does not answer')
        if (this.#post.withdraw(number)) throw unreachable(layout.post, silence)
        throw unknown(layout.post, silence)
      }
      await this.#hint()
    }
  }

  /** By the host's clock: when it had not answered a look in time. */
  #deafSince: Millis | null = null

  /** It is asked again when it has said that it lives, or when it does not keep the folder any more. */
  #isDeaf(): boolean {
    if (this.#deafSince === null) return false
    const seen = lookForKeeper(this.#parts)
    if (seen?.state === 'keeps' && seen.beat <= this.#deafSince) return true
    this.#deafSince = null
    return false
  }

  /** Until something came, or a while. */
  #hint(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel()
        this.#waiting.delete(done)
        resolve()
      }
      const timer = this.#parts.clock.after(LOOK_EVERY, done)
      this.#waiting.add(done)
    })
  }

  #watch(): void {
    if (this.#stop !== null) return
    const { disk, layout } = this.#parts
    this.#stop = disk.watch(layout.post, () => {
      for (const done of [...this.#waiting]) done()
    })
  }

  #stop: (() => void) | null = null

  close(): void {
    this.#stop?.()
    this.#stop = null
  }
}
