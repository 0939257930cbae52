/**
 * The door before code that must not be stopped from outside. A thread that is terminated, or whose
 * process exits, is stopped at its next call between native code and JavaScript; an addon that throws there
 * by C++ (Node-API's own wrapper does) takes the whole process down with SIGABRT. So the thread
 * passes this door around every such call, and whoever wants to stop it bars the door first.
 * Promises: `bar` is true when nobody is inside, and then nobody ever will be; who comes to a door that is
 * barred ends its thread by itself. Each thread has a door of its own, in shared memory.
 */
import type { Door } from '../store.js'
import type { Millis } from '../job/job.js'

/** How many calls are inside: a call may wait for another. */
const INSIDE = 0
const BARRED = 1
const WORDS = 2

export class HeartDoor implements Door {
  readonly #words: Int32Array

  constructor(shared = new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT)) {
    this.#words = new Int32Array(shared)
  }

  get shared(): SharedArrayBuffer {
    return this.#words.buffer as SharedArrayBuffer // as: made over it, above
  }

  /** In the thread. Counts first and looks then, as `bar` does the other way round: one sees the other. */
  enter(): void {
    Atomics.add(this.#words, INSIDE, 1)
    if (!this.isBarred) return
    this.leave()
    process.exit() // ends this thread alone
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
const doors = new Set<HeartDoor>()

/** At the exit of its process every thread is stopped: none may be inside then. */
export function watchExit(door: HeartDoor): void {
  if (doors.size === 0) process.on('exit', barAll)
  doors.add(door)
}

export function unwatchExit(door: HeartDoor): void {
  doors.delete(door)
  if (doors.size === 0) process.off('exit', barAll)
}

/** A call into SQLite takes as long as the disk's slowest sync; one that hangs for longer is left. */
const EXIT_PATIENCE: Millis = 2_000

function barAll(): void {
  for (const door of doors) if (!door.bar()) door.wait(EXIT_PATIENCE)
}
