/**
 * One direction of a connection through the proxy: what came in at one end goes out at the other, in
 * order, shaped as it is told: late, in small pieces, no faster than so many bytes a second. The end
 * of the stream travels behind the bytes. Who sends faster than the lane is made to wait, as by any
 * slow network. A lane can be made to swallow: then it takes bytes and tells nobody anything.
 */
import type { Socket } from 'node:net'
import type { Millis } from '../job/job.js'
import type { Chance, Clock, Timer } from '../time/clock.js'

/** How bytes travel; without a field as fast and as whole as they come. */
export interface TcpShape {
  /** So much later, in milliseconds; a pair: thrown evenly between the two, order kept. */
  readonly latency?: Millis | readonly [least: Millis, most: Millis]
  /** At most so many bytes in one write, each in a turn of the loop of its own. */
  readonly chunk?: number
  /** No faster than this. */
  readonly bytesPerSecond?: number
}

/** Beyond so many bytes under way the sender is made to wait. */
const MOST_UNDER_WAY = 256 * 1024
/** Where the rate is limited, a piece is what goes through in so many milliseconds. */
const PIECE: Millis = 20

interface Piece {
  readonly bytes: Buffer
  readonly due: number
}

export class TcpLane {
  /** That went out. */
  bytes = 0
  readonly #from: Socket
  readonly #to: Socket
  readonly #clock: Clock
  readonly #chance: Chance | undefined
  #shape: TcpShape = {}
  readonly #queue: Piece[] = []
  #queued = 0
  /** When the last byte taken so far will have gone out, by the clock's monotonic hand. */
  #busyUntil = 0
  #timer: Timer | null = null
  #isFull = false
  #isEnding = false
  #isSwallowing = false

  constructor(from: Socket, to: Socket, clock: Clock, chance?: Chance) {
    this.#from = from
    this.#to = to
    this.#clock = clock
    this.#chance = chance
    to.on('drain', () => {
      this.#isFull = false
      this.#pump()
    })
  }

  /** For what comes from now on; what is under way keeps its time. */
  shape(shape: TcpShape): void {
    this.#shape = shape
  }

  /** Whatever comes from now on goes out so much later, and all behind it. */
  hold(by: Millis): void {
    this.#busyUntil = Math.max(this.#busyUntil, this.#clock.mono() + by)
  }

  push(bytes: Buffer): void {
    if (this.#isSwallowing || this.#isEnding) return
    const now = this.#clock.mono()
    const { bytesPerSecond: rate } = this.#shape
    const arrival = now + this.#latency()
    for (const piece of this.#pieces(bytes)) {
      const span = rate === undefined ? 0 : (piece.length / rate) * 1000
      this.#busyUntil = Math.max(this.#busyUntil, arrival) + span
      this.#queue.push({ bytes: piece, due: this.#busyUntil })
    }
    this.#queued += bytes.length
    if (this.#queued > MOST_UNDER_WAY) this.#from.pause()
    this.#pump()
  }

  /** The end of the stream, behind all that is under way. */
  end(): void {
    this.#isEnding = true
    this.#pump()
  }

  /** What is under way is dropped, and whatever comes from now on, ends included. */
  swallow(): void {
    this.#isSwallowing = true
    this.stop()
    this.#from.resume()
  }

  /** No timer is left. */
  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#queue.length = 0
    this.#queued = 0
  }

  // ── How it goes out ───────────────────────────────────────────────────────────────────────────

  #pump(): void {
    if (this.#isSwallowing || this.#timer !== null) return
    while (!this.#isFull) {
      const head = this.#queue[0]
      if (head === undefined) return this.#drained()
      const wait = head.due - this.#clock.mono()
      if (wait > 0) return this.#later(wait)
      this.#queue.shift()
      this.#write(head.bytes)
      // In a turn of its own, so that the system does not glue the pieces together again.
      if (this.#shape.chunk !== undefined && this.#queue.length > 0) return this.#later(0)
    }
  }

  #later(wait: Millis): void {
    let isOff = false
    const run = (): void => {
      if (isOff) return
      this.#timer = null
      this.#pump()
    }
    if (wait > 0) {
      this.#timer = this.#clock.after(wait, run)
      return
    }
    this.#timer = { cancel: () => (isOff = true) }
    this.#clock.soon(run)
  }

  #write(bytes: Buffer): void {
    this.#queued -= bytes.length
    this.bytes += bytes.length
    if (this.#queued <= MOST_UNDER_WAY && this.#from.isPaused()) this.#from.resume()
    if (!this.#to.writable) return
    this.#isFull = !this.#to.write(bytes)
  }

  #drained(): void {
    if (this.#isEnding && this.#to.writable) this.#to.end()
  }

  #latency(): Millis {
    const { latency = 0 } = this.#shape
    if (typeof latency === 'number') return latency
    const [least, most] = latency
    return least + (this.#chance?.next() ?? 0) * (most - least)
  }

  #pieces(bytes: Buffer): readonly Buffer[] {
    const { chunk, bytesPerSecond: rate } = this.#shape
    const paced = rate === undefined ? Infinity : Math.max(1, Math.floor((rate * PIECE) / 1000))
    const size = Math.min(chunk ?? Infinity, paced)
    if (size >= bytes.length) return [bytes]
    const count = Math.ceil(bytes.length / size)
    return Array.from({ length: count }, (_, at) => bytes.subarray(at * size, (at + 1) * size))
  }
}
