/**
 * Native code in the midst of which a thread must not be stopped. A thread that is terminated, or whose
 * process exits, is stopped at its next step between native code and JavaScript; an addon that throws there
 * by C++ (as the usual wrapper of Node-API does) takes the whole process down with SIGABRT. So the thread
 * enters this section around every such call, and whoever wants to stop it bars the section first.
 * Promises: `bar` is true when nobody is inside, and then nobody ever will be; who would enter one that is
 * barred ends its thread by itself. Each thread has a section of its own, in shared memory.
 */
import type { Section } from '../store.js'
import type { Millis } from '../job/job.js'
import { systemClock } from '../time/system.js'

/** How many calls are inside. */
const INSIDE = 0
const BARRED = 1
const WORDS = 2

export class CriticalSection implements Section {
  readonly #words: Int32Array

  constructor(shared = new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT)) {
    this.#words = new Int32Array(shared)
  }

  get shared(): SharedArrayBuffer {
    return this.#words.buffer as SharedArrayBuffer // as: made over it, above
  }

  /** In the thread. It counts and then looks; `bar` bars and then looks: one of them sees the other. */
  enter(): void {
    Atomics.add(this.#words, INSIDE, 1)
    if (!this.isBarred) return
    this.leave()
    process.exit() // of a thread: it ends, alone
  }

  leave(): void {
    Atomics.sub(this.#words, INSIDE, 1)
    Atomics.notify(this.#words, INSIDE)
  }

  get isBarred(): boolean {
    return Atomics.load(this.#words, BARRED) !== 0
  }

  /** From outside: whether the thread can be stopped now. */
  bar(): boolean {
    Atomics.store(this.#words, BARRED, 1)
    return this.#inside === 0
  }

  /** Holds the calling thread until nobody is inside, or for so long. */
  wait(atMost: Millis): void {
    for (let inside = this.#inside; inside !== 0; inside = this.#inside) {
      if (Atomics.wait(this.#words, INSIDE, inside, atMost) === 'timed-out') return
    }
  }

  get #inside(): number {
    return Atomics.load(this.#words, INSIDE)
  }
}

/** Of the threads that live. */
const sections = new Set<CriticalSection>()

/** At the exit of its process every thread is stopped: none may be inside then. */
export function watchExit(section: CriticalSection): void {
  if (sections.size === 0) process.on('exit', barAll)
  sections.add(section)
}

export function unwatchExit(section: CriticalSection): void {
  sections.delete(section)
  if (sections.size === 0) process.off('exit', barAll)
}

/** A call into SQLite takes as long as the disk's slowest sync; those that hang for longer are left. */
const EXIT_PATIENCE: Millis = 2_000

function barAll(): void {
  const inside = [...sections].filter((section) => !section.bar())
  const until = systemClock.mono() + EXIT_PATIENCE
  for (const section of inside) section.wait(Math.max(0, until - systemClock.mono()))
}
