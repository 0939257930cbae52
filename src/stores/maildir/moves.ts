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
  /** The number of the oldest move that is not done for it. */
  since: number
}

/** What is to be done for one file. */
export type Errand =
  | { readonly kind: 'remove'; readonly path: string; readonly since: number }
  | ({ readonly kind: 'put'; readonly path: string } & Readonly<Sheet>)

export class Moves {
  /** By where they shall be. */
  readonly sheets = new Map<string, Sheet>()
  /** What shall be gone, and the number of the oldest move that is not done for it. */
  readonly removals = new Map<string, number>()
  #units = 0

  get isEmpty(): boolean {
    return this.sheets.size === 0 && this.removals.size === 0
  }

  get size(): number {
    return this.sheets.size + this.removals.size
  }

  /** How long the texts are that wait to be written. */
  get units(): number {
    return this.#units
  }

  /** The number of the oldest move that is not done; Infinity: none is left. */
  get oldest(): number {
    let oldest = Infinity
    for (const since of this.removals.values()) oldest = Math.min(oldest, since)
    for (const { since } of this.sheets.values()) oldest = Math.min(oldest, since)
    return oldest
  }

  /** `since`: the number of this move; those of one file are added with numbers that rise. */
  add({ was, path, text, isKept = false }: Move, since = 0): void {
    const sheet = this.#take(was, since)
    if (text !== null && isKept && sheet.lies !== null && sheet.text === null) sheet.spare = text
    else if (text !== null) sheet.text = text
    if (path === null) {
      if (sheet.lies !== null) this.removals.set(sheet.lies, sheet.since)
      return
    }
    // What was to be removed there is replaced instead.
    const removal = this.removals.get(path)
    if (removal !== undefined) {
      this.removals.delete(path)
      sheet.since = Math.min(sheet.since, removal)
      if (sheet.lies !== null && sheet.lies !== path) this.removals.set(sheet.lies, sheet.since)
      sheet.lies = path
    }
    this.#lay(path, sheet)
  }

  #take(was: string | null, since: number): Sheet {
    if (was === null) return { lies: null, text: null, spare: null, since }
    return this.#lift(was) ?? { lies: was, text: null, spare: null, since }
  }

  #lay(path: string, sheet: Sheet): void {
    this.#lift(path)
    this.sheets.set(path, sheet)
    this.#units += unitsOf(sheet)
  }

  #lift(path: string): Sheet | null {
    const sheet = this.sheets.get(path)
    if (sheet === undefined) return null
    this.sheets.delete(path)
    this.#units -= unitsOf(sheet)
    return sheet
  }

  /**
   * Takes out, one after another, what is to be done of moves up to a number, whatever is added
   * meanwhile. Whoever takes one does it, or puts it back. While `mayWrite` says no, texts are left.
   */
  *due(upTo: () => number, mayWrite: () => boolean): Generator<Errand> {
    for (let isDone = false; !isDone;) {
      isDone = true
      for (const [path, since] of this.removals) {
        if (since > upTo()) continue
        isDone = false
        this.removals.delete(path)
        yield { kind: 'remove', path, since }
      }
      for (const [path, sheet] of this.sheets) {
        if (sheet.since > upTo() || (sheet.text !== null && !mayWrite())) continue
        isDone = false
        this.#lift(path)
        yield { kind: 'put', path, ...sheet }
      }
    }
  }

  /** It could not be done: what was added meanwhile goes on from where the file is still. */
  putBack(errand: Errand): void {
    const { path, since } = errand
    if (errand.kind === 'remove') {
      const sheet = this.sheets.get(path)
      if (sheet === undefined) this.removals.set(path, since)
      else sheet.since = Math.min(sheet.since, since) // it is replaced instead
      return
    }
    const { lies, text, spare } = errand
    if (this.removals.delete(path)) {
      // Half of it may have been done.
      this.removals.set(path, since)
      if (lies !== null) this.removals.set(lies, since)
      return
    }
    const onward = this.#from(path)
    if (onward === null) return this.#lay(path, { lies, text, spare, since })
    const [target, sheet] = onward
    this.#lift(target)
    if (path !== target && lies !== path) this.removals.set(path, since)
    const onwardText = sheet.text ?? text
    this.#lay(target, { lies, text: onwardText, spare: sheet.spare ?? spare, since })
  }

  /** What was to go on from there. */
  #from(path: string): [string, Sheet] | null {
    for (const entry of this.sheets) if (entry[1].lies === path) return entry
    return null
  }
}

/** How long what is to be written is. */
export function unitsOf({ text, spare }: Readonly<Sheet>): number {
  return (text?.length ?? 0) + (spare?.length ?? 0)
}
