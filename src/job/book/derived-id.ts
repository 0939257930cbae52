/**
 * Ids that follow from what is known, for jobs that come about inside the store: every replica of
 * the book must give them the same name without asking anybody. They sort by time like all ids of
 * ours; their random part is a hash of what they come from.
 */
import { unpackId } from '../id.js'

/** `wall`: milliseconds since the Unix epoch. The same arguments give the same id. */
export function derivedId(wall: number, from: string): string {
  const time = Math.max(0, Math.floor(wall))
  const words = new Uint32Array(4)
  words[0] = Math.floor(time / 65536)
  words[1] = (time % 65536) * 65536 + (hash32(from, 0x2545f491) & 0xffff)
  words[2] = hash32(from, 0x9e3779b1)
  words[3] = hash32(from, 0x632be59b)
  return unpackId(words, 0)
}

/** Mixing as in MurmurHash3, 32 bits: https://github.com/aappleby/smhasher */
export function hash32(text: string, seed: number): number {
  let mixed = seed
  for (let i = 0; i < text.length; i++) {
    let unit = Math.imul(text.charCodeAt(i), 0xcc9e2d51)
    unit = Math.imul((unit << 15) | (unit >>> 17), 0x1b873593)
    mixed ^= unit
    mixed = (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
  }
  mixed ^= text.length
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
