/**
 * What is still to be done in the folders: a list of moves in their order becomes, for every file,
 * the one step from what is there to what shall be there. A letter that came and went meanwhile is
 * never written. Promises that whatever the moves were, doing what is left here once or twice gives
 * the same folder.
 */

/** One file: it was `was`, it shall be `path`, with this text or with the one that it has. */
export interface Move {
  /** Null: it is new. */
  readonly was: string | null
  /** Null: it shall be gone. */
  readonly path: string | null
  /** Null: the one that it has. */
  readonly text: string | null
  /** It has that text already: who finds the file moves it. What is read from a log does not say so. */
  readonly isKept?: boolean
}

/** A file on its way. */
export interface Sheet {
  /** Where it lies now; null: nowhere. */
  lies: string | null
  /** To be written; null: it has it. */
  text: string | null
  /** What it has, should it be gone. */
  spare: string | null
}

export class Moves {
  /** By where they shall be. */
  readonly sheets = new Map<string, Sheet>()
  readonly removals = new Set<string>()

  get isEmpty(): boolean {
    return this.sheets.size === 0 && this.removals.size === 0
  }

  get size(): number {
    return this.sheets.size + this.removals.size
  }

  add({ was, path, text, isKept = false }: Move): void {
    const sheet = this.#take(was)
    if (text !== null && isKept && sheet.lies !== null && sheet.text === null) sheet.spare = text
    else if (text !== null) sheet.text = text
    if (path === null) {
      if (sheet.lies !== null) this.removals.add(sheet.lies)
      return
    }
    // What was to be removed there is replaced instead.
    if (this.removals.delete(path)) {
      if (sheet.lies !== null && sheet.lies !== path) this.removals.add(sheet.lies)
      sheet.lies = path
    }
    this.sheets.set(path, sheet)
  }

  #take(was: string | null): Sheet {
    if (was === null) return { lies: null, text: null, spare: null }
    const known = this.sheets.get(was)
    if (known === undefined) return { lies: was, text: null, spare: null }
    this.sheets.delete(was)
    return known
  }
}
