/**
 * Ids of jobs: 26 characters that sort by the time they were made. They are made above the seam, so
 * that an insert whose answer was lost can be repeated with the same one. The layout is that of a
 * ULID (https://github.com/ulid/spec): 48 bits of milliseconds, then 80 bits of chance, in Crockford's base 32,
 * 128 bits in all, which `packId` fits into four words.
 */
import type { Chance, Clock } from '../time/clock.js'

const LENGTH = 26
const TIME_LENGTH = 10
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const CODES = Uint8Array.from(ALPHABET, (digit) => digit.charCodeAt(0))
/** The digit that a character code stands for; 255 for none. Lower case is not canonical. */
const DIGITS = new Uint8Array(128).fill(255)
CODES.forEach((code, digit) => (DIGITS[code] = digit))
const LAST_MILLISECOND = 2 ** 48 - 1

/**
 * A maker of ids, each greater than the one before: within a millisecond, or while the wall's clock
 * stands behind the last id, the random part counts up by one instead of being drawn anew.
 */
export function makeIds(clock: Clock, chance: Chance): () => string {
  const digits = new Uint8Array(LENGTH)
  const codes = new Uint8Array(LENGTH)
  let last = -1

  const begin = (now: number): void => {
    last = now
    for (let at = TIME_LENGTH - 1, rest = now; at >= 0; at--) {
      digits[at] = rest % 32
      rest = Math.floor(rest / 32)
    }
    const drawn = chance.bytes(LENGTH - TIME_LENGTH)
    for (let at = TIME_LENGTH; at < LENGTH; at++) digits[at] = drawn[at - TIME_LENGTH] & 31
  }
  const countUp = (): void => {
    for (let at = LENGTH - 1; at >= TIME_LENGTH; at--) {
      if (digits[at] < 31) return void digits[at]++
      digits[at] = 0
    }
    begin(last + 1) // 2^80 ids in one millisecond, or a draw next to the end: borrow the next one
  }

  return () => {
    const now = Math.min(Math.max(Math.floor(clock.wall()), 0), LAST_MILLISECOND)
    if (now > last) begin(now)
    else countUp()
    for (let at = 0; at < LENGTH; at++) codes[at] = CODES[digits[at]]
    return text(codes)
  }
}

/** When an id of this form was made, by its maker's wall clock; null for any other. */
export function madeAt(id: string): number | null {
  if (!packId(id, scratch, 0)) return null
  return scratch[0] * 65536 + (scratch[1] >>> 16)
}

/** Whether it has the form of an id made here. A user's own id may have it too. */
export function isMadeId(id: string): boolean {
  return packId(id, scratch, 0)
}
const scratch = new Uint32Array(4)

/**
 * Writes the id's 128 bits into `into[at … at + 3]`, so that packed ids compare as their texts do.
 * False, with `into` untouched, when the id is not of the canonical form: then only its text says it.
 */
export function packId(id: string, into: Uint32Array, at: number): boolean {
  if (id.length !== LENGTH || digit(id, 0) > 7) return false
  for (let i = 1; i < LENGTH; i++) if (digit(id, i) > 31) return false
  const d6 = digit(id, 6)
  const d13 = digit(id, 13)
  const d19 = digit(id, 19)
  into[at] = (run(id, 0, 6) << 4) | (d6 >>> 1)
  into[at + 1] = ((d6 & 1) << 31) | (run(id, 7, 6) << 1) | (d13 >>> 4)
  into[at + 2] = ((d13 & 15) << 28) | (run(id, 14, 5) << 3) | (d19 >>> 2)
  into[at + 3] = ((d19 & 3) << 30) | run(id, 20, 6)
  return true
}

/** The id whose bits stand in `from[at … at + 3]`. */
export function unpackId(from: Uint32Array, at: number): string {
  const a = from[at]
  const b = from[at + 1]
  const c = from[at + 2]
  const d = from[at + 3]
  spell(a >>> 4, 0, 6)
  spelled[6] = CODES[((a & 15) << 1) | (b >>> 31)]
  spell(b >>> 1, 7, 6)
  spelled[13] = CODES[((b & 1) << 4) | (c >>> 28)]
  spell(c >>> 3, 14, 5)
  spelled[19] = CODES[((c & 7) << 2) | (d >>> 30)]
  spell(d, 20, 6)
  return text(spelled)
}
const spelled = new Uint8Array(LENGTH)

/** Writes the lowest `count` digits of `bits` as character codes. */
function spell(bits: number, at: number, count: number): void {
  for (let i = at + count - 1, rest = bits; i >= at; i--, rest >>>= 5) {
    spelled[i] = CODES[rest & 31]
  }
}

/** Spelled out: `apply` on an array takes three times as long. */
function text(c: Uint8Array): string {
  // prettier-ignore
  return String.fromCharCode(
    c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8], c[9], c[10], c[11], c[12],
    c[13], c[14], c[15], c[16], c[17], c[18], c[19], c[20], c[21], c[22], c[23], c[24], c[25],
  )
}

function digit(id: string, at: number): number {
  const code = id.charCodeAt(at)
  return code < 128 ? DIGITS[code] : 255
}

/** `count` digits from `at` on as one number, at most six: 30 bits. */
function run(id: string, at: number, count: number): number {
  let bits = 0
  for (let i = at; i < at + count; i++) bits = (bits << 5) | DIGITS[id.charCodeAt(i)]
  return bits
}
