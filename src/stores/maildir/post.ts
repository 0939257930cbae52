/**
 * Letters between processes: who is not the keeper asks it by a letter in `.keeper/post` and is
 * answered by one. A letter appears whole, by a move out of `post/drafts`; its name says who wrote it
 * and which it is.
 *
 *     1f00ba5e-17.ask       {"verb":"control","words":[…],"proof":"…"}
 *     1f00ba5e-17.answer    {"value":…}  or  {"error":{…}}
 *
 * What is asked is a verb of the seam, answered when its answer is durable. If the keeper dies
 * between, the asker does not know what became of it, as with any store whose answer is lost. What is
 * left of askers that died is removed by the keeper when nobody can wait for it any longer.
 */
import type { Disk } from '../../disk/disk.js'
import { isMissing } from '../../disk/errno.js'
import { removeIfThere, writeAll } from '../../disk/place.js'
import { MillraceError, millraceError } from '../../job/errors.js'
import type { ErrorCode } from '../../job/errors.js'
import { plain, unplain } from '../../job/plain.js'
import { readText } from './layout.js'
import type { Layout } from './layout.js'
import { Spare } from './spare.js'

export interface Ask {
  readonly verb: string
  readonly words: readonly unknown[]
  /** What proves that the asker lives. */
  readonly proof: string | null
}

export interface PostParts {
  readonly disk: Disk
  readonly layout: Layout
  readonly nonce: string
}

/** What came of an ask. */
export type Answer =
  { readonly value: unknown } | { readonly error: { readonly code: string; readonly text: string } }

const ASK = /^([0-9a-f]+-\d+)\.ask$/

export class Post {
  readonly #parts: PostParts
  readonly #spare: Spare
  #asked = 0

  constructor(parts: PostParts) {
    this.#parts = parts
    this.#spare = new Spare(parts.disk, parts.layout, parts.nonce)
  }

  /**
   * Its number, by which the answer is found. `isUrgent`: on a disk that is full it uses what was set
   * aside for what ends jobs.
   */
  ask(ask: Ask, isUrgent: boolean): string {
    const number = `${this.#parts.nonce}-${++this.#asked}`
    const send = (): void => this.#put(`${number}.ask`, plain(ask))
    if (isUrgent) this.#spare.within(send)
    else send()
    return number
  }

  /** Asks that nobody has answered, in no order. */
  asks(): readonly string[] {
    const { disk, layout } = this.#parts
    return disk.list(layout.post).flatMap((name) => ASK.exec(name)?.[1] ?? [])
  }

  /** Takes an ask out, so that nobody does it twice; null: it is gone. */
  take(number: string): Ask | null {
    const text = this.#takeOut(`${number}.ask`)
    return text === null ? null : (unplain(text) as Ask) // as `ask` wrote it
  }

  answer(number: string, answer: Answer): void {
    this.#spare.within(() => this.#put(`${number}.answer`, plain(answer)))
  }

  /** Null: not yet. */
  answered(number: string): Answer | null {
    const text = this.#takeOut(`${number}.answer`)
    return text === null ? null : (unplain(text) as Answer) // as `answer` wrote it
  }

  /** The asker waits no longer. True: nobody had taken it. */
  withdraw(number: string): boolean {
    const { disk, layout } = this.#parts
    return removeIfThere(disk, `${layout.post}/${number}.ask`)
  }

  /** Answers that nobody has fetched and drafts that nobody has finished, if older than `before`. */
  tidy(before: number): void {
    const { disk, layout } = this.#parts
    const answers = disk.list(layout.post).filter((name) => name.endsWith('.answer'))
    const left = [
      ...answers.map((name) => `${layout.post}/${name}`),
      ...disk.list(layout.drafts).map((name) => `${layout.drafts}/${name}`),
    ]
    for (const path of left) {
      const facts = disk.facts(path)
      if (facts !== null && facts.modified < before) removeIfThere(disk, path)
    }
  }

  #put(name: string, text: string): void {
    const { disk, layout, nonce } = this.#parts
    const draft = `${layout.drafts}/${nonce}.${name}`
    const file = disk.create(draft)
    try {
      writeAll(file, Buffer.from(text))
    } catch (error) {
      removeIfThere(disk, draft)
      throw error
    } finally {
      file.close()
    }
    disk.rename(draft, `${layout.post}/${name}`)
  }

  #takeOut(name: string): string | null {
    const { disk, layout } = this.#parts
    const path = `${layout.post}/${name}`
    try {
      const text = readText(disk, path)
      return removeIfThere(disk, path) ? text : null
    } catch (error) {
      if (isMissing(error)) return null
      throw error
    }
  }
}

/** An error as it crosses the post. */
export function errorWords(error: unknown): { readonly code: string; readonly text: string } {
  const code = MillraceError.is(error) ? error.code : 'STORE_UNREACHABLE'
  return { code, text: error instanceof Error ? error.message : String(error) }
}

export function errorOf({ code, text }: { readonly code: string; readonly text: string }): Error {
  return millraceError({
    code: code as ErrorCode, // as: the keeper of the same format sent it
    subject: 'the keeper of the maildir',
    expected: 'to do what was asked',
    received: text,
    remedy: 'see what it says of the cause',
  })
}
