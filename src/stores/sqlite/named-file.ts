/**
 * Whether the file that was opened is still what its name leads to. SQLite does not ask: with a
 * write-ahead log it goes on in a file that was removed or replaced, which nobody else ever reads, and
 * which is gone with the last process that has it open. So whoever is to be answered what lasts asks.
 */
import { statSync } from 'node:fs'
import { millraceError } from '../../job/errors.js'

export class NamedFile {
  readonly #path: string
  readonly #id: string | null

  /** `path`: of a database that was just opened. */
  constructor(path: string) {
    this.#path = path
    this.#id = idOf(path)
  }

  /** Throws STORE_WIPED. */
  check(): void {
    if (idOf(this.#path) !== this.#id) throw wiped(this.#path)
  }
}

/** Null: there is none. */
function idOf(path: string): string | null {
  const found = statSync(path, { throwIfNoEntry: false })
  return found === undefined ? null : `${found.dev}:${found.ino}`
}

function wiped(path: string): Error {
  return millraceError({
    code: 'STORE_WIPED',
    subject: path,
    expected: 'the database that was opened',
    received: 'a file that was removed, moved or replaced meanwhile',
    remedy: 'find out who did it; restore it from a backup, or begin anew; then start again',
  })
}
