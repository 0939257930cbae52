// Names of queues and scopes as segments of paths: never two names in one place, never a path
// that leads elsewhere, whatever a user calls his queue.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeName, encodeName, isHashedName, SEGMENT_LIMIT } from '../../src/disk/names.js'

const NASTY = [
  ...['', '.', '..', '...', '../..', '/', '\\', 'a/b', '\0', 'a\0b', '~', '-', '--', ' ', 'a '],
  ...['a.', '.a', 'a..', 'a.b', 'CON', 'con', 'con.txt', 'Con', 'nul', 'com1', 'lpt9.x', 'aux '],
  ...['%', '%%', '%41', '%2e', '%u0041', 'A', 'a', 'É', 'é', 'e\u0301', 'ﬁ', 'fi', 'ß', 'ss', 'SS'],
  ...['ı', 'i', 'İ', 'K', '\u212a', 'k', '𝄞', '\ud834', '\udd1e', '\ud800', '\ufffd', '日本', '\n'],
  ...['x'.repeat(200), 'x'.repeat(201), 'x'.repeat(300), 'X'.repeat(66), 'X'.repeat(67)],
  ...['%%' + 'a'.repeat(64), 'a'.repeat(64), '日'.repeat(33), '日'.repeat(34), 'constant', 'com10'],
]

/** Any string of UTF-16 units, lone surrogates included, often near something nasty. */
const anyName = fc.oneof(
  fc.constantFrom(...NASTY),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({ unit: fc.constantFrom('.', '%', 'u', '2', 'e', 'E', 'c', 'o', 'n', 'é', '\ud800') }),
  fc.array(fc.nat(0xffff), { maxLength: 8 }).map((units) => String.fromCharCode(...units)),
)

/** What a careless file system makes of a segment. */
function asSeen(segment: string): string[] {
  return ['NFC', 'NFD', 'NFKC', 'NFKD'].map((form) =>
    segment.normalize(form).toUpperCase().toLowerCase(),
  )
}

function expectSafe(segment: string): void {
  expect(segment).toMatch(/^[a-z0-9_%-](?:[a-z0-9_.%-]*[a-z0-9_%-])?$/)
  expect(Buffer.byteLength(segment)).toBeLessThanOrEqual(SEGMENT_LIMIT)
  expect(segment).not.toMatch(/^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/)
  for (const seen of asSeen(segment)) expect(seen).toBe(segment)
}

describe('a name as a segment of a path', () => {
  it('is itself where that is safe', () => {
    for (const name of ['emails', 'mail.out', 'order-7_b', '0', 'constant', 'com10']) {
      expect(encodeName(name)).toBe(name)
    }
    expect(encodeName('Emails')).toBe('%45mails')
    expect(encodeName('..')).toBe('%2e%2e')
    expect(encodeName('con.txt')).toBe('%63on.txt')
    expect(encodeName('日')).toBe('%u65e5')
  })

  it('is safe on every file system, and differs from every other name', () => {
    const seen = new Map(NASTY.map((name) => [encodeName(name), name]))
    expect(seen.size).toBe(new Set(NASTY).size)
    for (const segment of seen.keys()) expectSafe(segment)
  })

  it('is safe, injective and comes back, for any string at all', () => {
    fc.assert(
      fc.property(anyName, anyName, (one, other) => {
        const segment = encodeName(one)
        expectSafe(segment)
        expect(encodeName(other) === segment).toBe(one === other)
        expect(decodeName(segment)).toBe(isHashedName(segment) ? null : one)
      }),
      { numRuns: 20_000 },
    )
  })

  it('is hashed when it is long, and marked as such', () => {
    expect(isHashedName(encodeName('x'.repeat(SEGMENT_LIMIT)))).toBe(false)
    expect(isHashedName(encodeName('x'.repeat(SEGMENT_LIMIT + 1)))).toBe(true)
    expect(decodeName(encodeName('X'.repeat(100)))).toBeNull()
    expect(encodeName('X'.repeat(100))).not.toBe(encodeName('X'.repeat(101)))
  })

  it('is not read from a segment that we would not have written', () => {
    for (const segment of ['Emails', '%4A', '%61', '%zz', '%%', '.', 'con', 'é', 'a.', '%u0041']) {
      expect(decodeName(segment)).toBeNull()
    }
  })
})
