/**
 * The store for a process that is not the keeper: every verb is a letter to the keeper. A process
 * that works so is a stand-by at the same time: when the keeper has left or died, its store becomes
 * the keeper (see `maildir-store.ts`), and what it holds stays its own, since that is in the names.
 */
import type { Store } from '../../store.js'
import type { Clock } from '../../time/clock.js'
import { unknown, unreachable } from './faults.js'
import { lookForKeeper } from './keeper.js'
import type { KeeperParts } from './keeper.js'
import { errorOf, Post } from './post.js'
import type { Answer } from './post.js'

export interface VisitorParts extends KeeperParts {
  readonly clock: Clock
}

/** An answer that no hint tells of is looked for so often. */
const LOOK_EVERY = 20
/** Whether the keeper lives is asked so often, while one waits for it. */
const ASK_EVERY = 500
/** A keeper that lives and answers nothing for so long is told to the caller. */
const PATIENCE = 30_000

/** The verbs that change nothing, which may be asked again. */
const LOOKS: ReadonlySet<string> = new Set([
  ...['get', 'parents', 'list', 'count', 'explain', 'explainQueue', 'groups', 'queues', 'nodes'],
  ...['check', 'settings', 'schedules'],
])

/** The keeper went before it answered. */
export const GONE = Symbol('the keeper is gone')

export class Visitor {
  readonly #parts: VisitorParts
  readonly #post: Post
  #look: () => void = () => undefined
  readonly #waiting = new Set<() => void>()

  constructor(parts: VisitorParts) {
    this.#parts = parts
    this.#post = new Post(parts)
  }

  /** `GONE`: nobody did it, and the caller may look for the next keeper. */
  async ask(verb: keyof Store, words: readonly unknown[]): Promise<unknown> {
    const number = this.#post.ask({ verb, words, proof: this.#parts.host.proof })
    const answer = await this.#answerTo(number, verb)
    if (answer === GONE) return GONE
    if ('error' in answer) throw errorOf(answer.error)
    return answer.value
  }

  async #answerTo(number: string, verb: string): Promise<Answer | typeof GONE> {
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
          if (this.#post.withdraw(number) || LOOKS.has(verb)) return GONE
          throw unknown(layout.post, new Error('the keeper died before it answered'))
        }
      }
      if (now - began > PATIENCE) {
        const silence = new Error('the keeper lives and does not answer')
        if (this.#post.withdraw(number)) throw unreachable(layout.post, silence)
        throw unknown(layout.post, silence)
      }
      await this.#hint()
    }
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

  /** Calls when the keeper has written something. Answers how to stop. */
  follow(onChange: () => void): () => void {
    const { disk, layout } = this.#parts
    this.#look = onChange
    return disk.watch(layout.commit, () => this.#look())
  }

  close(): void {
    this.#stop?.()
    this.#stop = null
    this.#look = () => undefined
  }
}
