/**
 * Thrown within a transaction that has found out that it began wrongly: it locked less than it must,
 * or somebody else was faster. It is rolled back and begun anew, knowing better.
 */
export class Again extends Error {
  constructor(why: string) {
    super(why)
    this.name = 'Again'
  }
}

/** Somebody keeps what a transaction needs, as one of the user's that stays open does. Nothing was done. */
export class Held extends Error {
  constructor(cause: unknown) {
    super('somebody else keeps what it needs', { cause })
    this.name = 'Held'
  }
}

/** Beyond so many beginnings something is wrong with the one that begins. */
export const BEGINNINGS = 20
