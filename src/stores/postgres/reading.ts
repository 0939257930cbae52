/** How values of PostgreSQL are read, whichever driver brings them as text. */
import { named } from '../sql/names.js'

/** What is made of the text of a value, by the number of its type; as `pg` asks for it. */
export interface Types {
  getTypeParser(type: number): (text: string) => unknown
}

const INT2 = 21
const INT4 = 23
const INT8 = 20
const FLOAT8 = 701
const NUMERIC = 1700
const TEXT = 25
const NAME = 19

/** Whole numbers that a double holds: all that we count. */
export const TYPES: Types = {
  getTypeParser(type) {
    switch (type) {
      case INT2:
      case INT4:
      case INT8:
      case FLOAT8:
      case NUMERIC:
        return Number
      default:
        return named
    }
  },
}

/** The types that our statements answer. */
export const ANSWERED = [INT2, INT4, INT8, FLOAT8, NUMERIC, TEXT, NAME]
