/**
 * Whether the file that was opened is still what its name leads to. SQLite does not ask: with a
 * write-ahead log it goes on in a file that was removed or replaced, which nobody else ever reads, and
 * which is gone with the last process that has it open. So whoever is to be answered what lasts asks.
 */
import { statSync } from 'node:fs'
import { millraceError } from '../../job/errors.js'

export class NamedFile {
  readonly #path: string
  readonly id: string | null

  /** `path`: of a database that was just opened; `id`: what it was when another opened it [as it is]. */
  constructor(path: string, id: string | null = idOf(path)) {
    this.#path = path
    this.id = id
  }

  /** Throws STORE_WIPED. */
  check(): void {
    if (idOf(this.#path) !== this.id) throw wiped(this.#path, 'the database that was opened')
  }
}

/** Null: there is none. */
function idOf(path: string): string | null {
  const found = statSync(path, { throwIfNoEntry: false })
  return found === undefined ? null : `${found.dev}:${found.ino}`
}

export function wiped(path: string, expected: string): Error {
  return millraceError({
    code: 'STORE_WIPED',
    subject: path,
    expected,
    received: 'a file that was removed, moved or replaced meanwhile',
    remedy:
      'find out who did it; end all that have it open; remove what is left beside it (-wal, -shm); ' +
      'restore it from a backup, or begin anew; then start again',
  })
}
