/**
 * The maildir's medium: the book of a room, for one handle.
 */
import type { Book, Answers, FrameOf } from '../../job/book/book.js'
import type { Card, Frame } from '../../job/book/frame.js'
import type { Liveness } from '../../job/book/decide-sweep.js'
import type { Millis } from '../../job/job.js'
import type { Host } from '../../disk/host.js'
import type { Traits } from '../../store.js'
import type { Medium, News } from '../book/medium.js'
import type { Room } from './room.js'

export interface MaildirMediumParts {
  readonly host: Host
  readonly survives: Traits['survives']
  /** Entered for this handle. */
  readonly room: Room
  readonly left: () => Promise<void>
}

export class MaildirMedium implements Medium {
  readonly #parts: MaildirMediumParts
  #room: Room | null = null
  #deafen: () => void = () => undefined

  constructor(parts: MaildirMediumParts) {
    this.#parts = parts
  }

  get traits(): Traits {
    const { survives } = this.#parts
    return { survives, reach: 'process', transactions: false, hints: true, beat: 'loop' }
  }

  get book(): Book {
    return this.#entered().book
  }

  async open(_scope: string, onNews: (news: News) => void): Promise<void> {
    this.#room = this.#parts.room
    this.#deafen = this.#room.listen(onNews)
  }

  async close(): Promise<void> {
    this.#deafen()
    const room = this.#room
    this.#room = null
    if (room !== null) await this.#parts.left()
  }

  now(): Millis {
    return this.#entered().now()
  }

  refresh(): void {
    this.#entered().refresh()
  }

  commit<K extends Frame['kind']>(frame: FrameOf[K] & { readonly kind: K }): Answers[K] {
    return this.#entered().commit(frame) as Answers[K] // the answer to this very frame
  }

  async durable(): Promise<void> {
    // Closing waits for what is under way, and a closed handle may still be told.
    await this.#room?.durable()
  }

  async tend(): Promise<void> {
    await this.#entered().tend()
  }

  calm(): Millis {
    return this.#entered().calm()
  }

  liveness(card: Card): Liveness {
    return this.#parts.host.liveness(card.proof)
  }

  proof(): string | null {
    return this.#parts.host.proof
  }

  beatRecipe(): null {
    return null
  }

  #entered(): Room {
    if (this.#room === null) throw new Error('the maildir is not open')
    return this.#room
  }
}
